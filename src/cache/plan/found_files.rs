//! `plan/files/NNNNNN-DDDDDDDDDDDDDDDD.parquet`: what the files of one chunk are, found by a pass over them.

use super::layout::FILES;
use crate::data::scan::{FoundFile, FoundFiles};
use crate::error::{Error, Kind, Result};
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, Table};
use crate::io::store::Store;

/// Encodes what was found.
pub(crate) fn encode_found_files(files: &[FoundFile]) -> Vec<u8> {
    let long = |get: fn(&FoundFile) -> i64| ColumnData::Int64(files.iter().map(get).collect());
    let digests = files.iter().map(|file| file.image_sha256.map(|digest| digest.to_string())).collect();
    let refused = files.iter().map(|file| file.refused.as_ref().map(ToString::to_string)).collect();
    Table::new([
        ("path", ColumnData::Text(files.iter().map(|file| file.path.clone()).collect())),
        ("image_sha256", ColumnData::OptionalText(digests)),
        ("width", long(|file| file.width.into())),
        ("height", long(|file| file.height.into())),
        ("bytes", long(|file| file.bytes as i64)),
        ("mtime_ns", long(|file| file.mtime_ns)),
        ("refused", ColumnData::OptionalText(refused)),
    ])
    .encode()
}

/// Reads what all passes over files found since the last plan was finished.
///
/// # Errors
/// [`Kind::Cache`] when a list is damaged, [`Kind::Io`] when it cannot be read.
pub(crate) fn read_found_files(store: &Store) -> Result<FoundFiles> {
    let mut found = FoundFiles::default();
    for name in store.list(FILES, "")? {
        let name = format!("{FILES}/{name}");
        let remedy = "delete it, and plan again: its files are read once more";
        found.add(decode(store, &name).map_err(|e| e.help(remedy))?);
    }
    Ok(found)
}

fn decode(store: &Store, name: &str) -> Result<Vec<FoundFile>> {
    let path = store.path(name);
    let integers = ["width", "height", "bytes", "mtime_ns"];
    let texts = ["image_sha256", "refused"];
    let columns: Vec<ColumnSpec> = [ColumnSpec::new("path", ColumnType::Text)]
        .into_iter()
        .chain(texts.map(|column| ColumnSpec::new(column, ColumnType::OptionalText)))
        .chain(integers.map(|column| ColumnSpec::new(column, ColumnType::Integers)))
        .collect();
    let mut table = Table::decode(store.read(name)?, &columns, &path)?;
    let [widths, heights, bytes, times] = integers.map(|column| table.take_integers(column));
    let [digests, refused] = texts.map(|column| table.take_optional_text(column));
    let mut files = Vec::with_capacity(widths.len());
    for (i, (path_of_file, refused)) in table.take_text("path").into_iter().zip(refused).enumerate() {
        let image_sha256 = digests[i].as_ref().map(|text| text.parse()).transpose();
        files.push(FoundFile {
            path: path_of_file,
            image_sha256: image_sha256.map_err(|e: Error| e.of_kind(Kind::Cache).at(&path))?,
            width: widths[i] as u32,
            height: heights[i] as u32,
            bytes: bytes[i] as u64,
            mtime_ns: times[i],
            refused: refused.map(Into::into),
        });
    }
    Ok(files)
}
