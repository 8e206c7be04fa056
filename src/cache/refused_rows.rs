//! `refused-rows.parquet`: the rows for which the network gave values that are no numbers, so that the next run need not
//! compute them again. Replaced whole; a cache without it has none.

use super::key::Key;
use super::layout::REFUSED_ROWS;
use super::part::{KEY_COLUMNS, parse_keys};
use crate::error::{Error, Kind, Result};
use crate::io::parquet::{ColumnData, Table};
use std::collections::BTreeSet;
use std::path::Path;

/// Version of the file.
const SCHEMA: &str = "refused-rows-v1";
/// The metadata key of the version.
const SCHEMA_KEY: &str = "headstart.schema";

/// Encodes `refused-rows.parquet`.
pub(super) fn encode_refused_rows(rows: &BTreeSet<Key>) -> Vec<u8> {
    Table::new([
        ("image_sha256", ColumnData::Digests(rows.iter().map(|key| key.image_sha256).collect())),
        ("variant", ColumnData::Text(rows.iter().map(|key| key.variant.to_string()).collect())),
    ])
    .with_metadata([(SCHEMA_KEY, SCHEMA.to_string())])
    .encode()
}

/// Reads the refused rows of the cache at `root`; empty when nothing was recorded.
///
/// # Errors
/// [`Kind::Cache`] when `refused-rows.parquet` is damaged or of another version, [`Kind::Io`] when it cannot be opened.
pub fn read_refused_rows(root: &Path) -> Result<BTreeSet<Key>> {
    let file = root.join(REFUSED_ROWS);
    if !file.exists() {
        return Ok(BTreeSet::new());
    }
    let remedy = "delete it: `extract` then tries those images again";
    let table = Table::read(&file, &KEY_COLUMNS).map_err(|e| e.help(remedy))?;
    if table.metadata.get(SCHEMA_KEY).map(String::as_str) != Some(SCHEMA) {
        let message = format!("not of the version that this program reads, {SCHEMA}");
        return Err(Error::new(Kind::Cache, message).at(&file).help(remedy));
    }
    Ok(parse_keys(table, &file).map_err(|e| e.help(remedy))?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Variant;
    use crate::io::digest::sha256;

    #[test]
    fn rows_are_read_as_written_and_other_versions_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_refused_rows(dir.path()).unwrap().is_empty());
        let path = dir.path().join(REFUSED_ROWS);
        let key = |variant| Key { image_sha256: sha256(b"a"), variant };
        let rows = BTreeSet::from([key(Variant::None), key(Variant::Shift { dx: -3, dy: 0 })]);
        std::fs::write(&path, encode_refused_rows(&rows)).unwrap();
        assert_eq!(read_refused_rows(dir.path()).unwrap(), rows);
        let other = Table::new([
            ("image_sha256", ColumnData::Digests(vec![])),
            ("variant", ColumnData::Text(vec![])),
        ]);
        std::fs::write(&path, other.encode()).unwrap();
        assert!(read_refused_rows(dir.path()).unwrap_err().to_string().contains("refused-rows-v1"));
    }
}
