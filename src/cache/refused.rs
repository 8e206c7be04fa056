//! `refused.parquet`: the files that could not be used, so that the next run need not decode them again. Replaced
//! whole.

use super::layout::REFUSED;
use crate::data::dataset::Refused;
use crate::data::decode;
use crate::error::{Error, Kind, Result};
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table};
use std::path::Path;

/// Metadata key of the version that refused the files. Version 0.1.0 did not write it.
const REFUSED_BY: &str = "headstart.refused_by";

/// The content of `refused.parquet`.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RefusedList {
    /// The files.
    pub files: Vec<Refused>,
    /// Whether this version has refused them. Another may have refused what this one reads.
    pub is_of_this_version: bool,
}

/// Encodes `refused.parquet`.
pub(super) fn encode_refused(refused: &[Refused]) -> Vec<u8> {
    let digests = refused.iter().map(|r| r.image_sha256.map(|digest| digest.to_string())).collect();
    Table::new([
        ("path", ColumnData::Text(refused.iter().map(|r| r.path.clone()).collect())),
        ("image_sha256", ColumnData::OptionalText(digests)),
        ("reason", ColumnData::Text(refused.iter().map(|r| r.reason.to_string()).collect())),
    ])
    .with_metadata([(REFUSED_BY, decode::refused_by())])
    .encode()
}

/// Reads the refused files of the cache at `root`; none when nothing was recorded.
///
/// # Errors
/// [`Kind::Cache`] when `refused.parquet` is damaged, [`Kind::Io`] when it cannot be opened.
pub fn read_refused(root: &Path) -> Result<RefusedList> {
    let file = root.join(REFUSED);
    if !file.exists() {
        return Ok(RefusedList { files: Vec::new(), is_of_this_version: true });
    }
    let columns = [
        ColumnSpec::new("path", ColumnType::Text),
        ColumnSpec::new("image_sha256", ColumnType::OptionalText),
        ColumnSpec::new("reason", ColumnType::Text),
    ];
    let mut table = Table::read(&file, &columns)?;
    let is_of_this_version = table.metadata.get(REFUSED_BY) == Some(&decode::refused_by());
    let digests = table.take_optional_text("image_sha256");
    let reasons = table.take_text("reason");
    let rows = table.take_text("path").into_iter().zip(digests).zip(reasons);
    let files = rows.map(|((path, digest), reason)| {
        let image_sha256 = digest.map(|text| text.parse()).transpose();
        let image_sha256 = image_sha256.map_err(|e: Error| e.of_kind(Kind::Cache).at(&file))?;
        Ok(Refused { path, image_sha256, reason: reason.into() })
    });
    Ok(RefusedList { files: files.collect::<Result<_>>()?, is_of_this_version })
}
