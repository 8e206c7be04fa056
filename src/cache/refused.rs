//! `refused.parquet`: the files that could not be used, so that the next run need not decode them again. Replaced
//! whole.

use super::layout::REFUSED;
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table};
use std::path::Path;

/// Encodes `refused.parquet`.
pub(super) fn encode_refused(refused: &[Refused]) -> Vec<u8> {
    let digests = refused.iter().map(|r| r.image_sha256.map(|digest| digest.to_string())).collect();
    Table::new([
        ("path", ColumnData::Text(refused.iter().map(|r| r.path.clone()).collect())),
        ("image_sha256", ColumnData::OptionalText(digests)),
        ("reason", ColumnData::Text(refused.iter().map(|r| r.reason.to_string()).collect())),
    ])
    .encode()
}

/// Reads the refused files of the cache at `root`; empty when nothing was recorded.
///
/// # Errors
/// [`Kind::Cache`] when `refused.parquet` is damaged, [`Kind::Io`] when it cannot be opened.
pub fn read_refused(root: &Path) -> Result<Vec<Refused>> {
    let file = root.join(REFUSED);
    if !file.exists() {
        return Ok(Vec::new());
    }
    let columns = [
        ColumnSpec::new("path", ColumnType::Text),
        ColumnSpec::new("image_sha256", ColumnType::OptionalText),
        ColumnSpec::new("reason", ColumnType::Text),
    ];
    let mut table = Table::read(&file, &columns)?;
    let digests = table.take_optional_text("image_sha256");
    let reasons = table.take_text("reason");
    let rows = table.take_text("path").into_iter().zip(digests).zip(reasons);
    rows.map(|((path, digest), reason)| {
        let image_sha256 = digest.map(|text| text.parse()).transpose();
        let image_sha256 = image_sha256.map_err(|e: Error| e.of_kind(Kind::Cache).at(&file))?;
        Ok(Refused { path, image_sha256, reason: reason.into() })
    })
    .collect()
}
