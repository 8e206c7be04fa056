//! Encodes tables as Parquet, Arrow IPC or CSV bytes, and reads Parquet and Arrow streams. The only user of `parquet` and of Arrow's crates.

mod as_csv;
mod column;
mod convert;
mod ranges;
mod stream;
mod text;
mod writer;

pub use column::{ColumnData, ColumnSpec, ColumnType, NamedColumn, Vectors};
pub(crate) use stream::{StreamReader, StreamWriter};
pub(crate) use text::{TextReader, TextValue};
pub use writer::{MAX_GROUP_ROWS, TableWriter, arrow_has_key, parquet_has_key};

use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::io::panics::caught;
use arrow_array::ArrayRef;
use convert::{float_rows, from_arrow, mismatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;

/// Named columns of one length, with the text metadata of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The columns in the order of the file.
    pub columns: Vec<NamedColumn>,
    /// Key-value metadata of the file.
    pub metadata: BTreeMap<String, String>,
}

impl Table {
    /// Creates a table of `columns`, given as name and values, without metadata.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, ColumnData)>) -> Self {
        let column = |(name, data): (N, ColumnData)| NamedColumn { name: name.into(), data };
        Self { columns: columns.into_iter().map(column).collect(), metadata: BTreeMap::new() }
    }

    /// Replaces the metadata.
    pub fn with_metadata<K: Into<String>>(self, metadata: impl IntoIterator<Item = (K, String)>) -> Self {
        let metadata = metadata.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { metadata, ..self }
    }

    /// Encodes the table as Parquet, as [`TableWriter::parquet`] does. Equal tables give equal bytes.
    ///
    /// # Panics
    /// When the columns differ in length. The same holds for the other encodings.
    pub fn encode(self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = TableWriter::parquet(&mut out, &self.columns, &self.metadata);
        writer.write(self.columns).expect("writing to memory");
        writer.finish().expect("writing to memory");
        out
    }

    /// Encodes the table as CSV, with a line of column names if `has_header`.
    ///
    /// # Panics
    /// When the table has a column of vectors.
    pub fn encode_csv(self, has_header: bool) -> Vec<u8> {
        as_csv::csv(&self.columns, has_header)
    }

    /// Decodes `columns`, each of its type, of the Parquet file `bytes`; `path` is for error messages.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the bytes are not a complete Parquet file, or a column is missing or of another type.
    pub fn decode(bytes: Vec<u8>, columns: &[ColumnSpec], path: &Path) -> Result<Self> {
        read(bytes::Bytes::from(bytes), columns, path, |_, _| false)
    }

    /// Decodes `columns` like [`Table::decode`], and passes the rows of one more column of vectors, `vectors`, to
    /// `visit` without copying them. `visit` gets the width and the floats `[rows, width]` of one batch of rows at a
    /// time.
    ///
    /// # Errors
    /// As [`Table::decode`].
    pub fn scan(
        bytes: Vec<u8>,
        columns: &[ColumnSpec],
        vectors: &str,
        path: &Path,
        mut visit: impl FnMut(usize, &[f32]),
    ) -> Result<Self> {
        let columns = [columns, &[ColumnSpec::new(vectors, ColumnType::Vectors)]].concat();
        read(bytes::Bytes::from(bytes), &columns, path, |name, array| {
            let rows = float_rows(array).filter(|_| name == vectors);
            rows.map(|rows| visit(rows.width, rows.values)).is_some()
        })
    }

    /// Reads `columns` of the Parquet file at `path`, and only the parts of the file that they need.
    ///
    /// # Errors
    /// As [`Table::decode`], and [`Kind::Io`] when the file cannot be opened.
    pub fn read(path: &Path, columns: &[ColumnSpec]) -> Result<Self> {
        read(File::open(path).map_err(|e| Error::io("open", path, e))?, columns, path, |_, _| false)
    }

    /// Reads like [`Table::read`], and those of the columns `optional` that the file has.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn read_with_optional(path: &Path, columns: &[ColumnSpec], optional: &[ColumnSpec]) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        read_present(open(file, path)?, columns, optional, path)
    }

    /// Decodes like [`Table::decode`], and those of the columns `optional` that the file has.
    ///
    /// # Errors
    /// As [`Table::decode`].
    pub fn decode_with_optional(
        bytes: Vec<u8>,
        columns: &[ColumnSpec],
        optional: &[ColumnSpec],
        path: &Path,
    ) -> Result<Self> {
        read_present(open(bytes::Bytes::from(bytes), path)?, columns, optional, path)
    }

    fn take(&mut self, name: &str) -> Option<ColumnData> {
        let index = self.columns.iter().position(|column| column.name == name)?;
        Some(self.columns.swap_remove(index).data)
    }

    /// Removes a text column and returns its values; empty when the file has no rows.
    pub fn take_text(&mut self, name: &str) -> Vec<String> {
        match self.take(name) {
            Some(ColumnData::Text(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Removes a text column that may have nulls and returns its values.
    pub fn take_optional_text(&mut self, name: &str) -> Vec<Option<String>> {
        match self.take(name) {
            Some(ColumnData::Text(values)) => values.into_iter().map(Some).collect(),
            Some(ColumnData::OptionalText(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Removes a column of digests and returns its values.
    pub fn take_digests(&mut self, name: &str) -> Vec<Digest> {
        match self.take(name) {
            Some(ColumnData::Digests(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Removes an integer column and returns its values.
    pub fn take_integers(&mut self, name: &str) -> Vec<i64> {
        match self.take(name) {
            Some(ColumnData::Int32(values)) => values.into_iter().map(i64::from).collect(),
            Some(ColumnData::Int64(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Removes a column of floats and returns its values.
    pub fn take_floats(&mut self, name: &str) -> Vec<f32> {
        match self.take(name) {
            Some(ColumnData::Float32(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Removes a column of vectors and returns its rows; of width 0 when the file has no rows.
    pub fn take_vectors(&mut self, name: &str) -> Vectors {
        match self.take(name) {
            Some(ColumnData::Vectors(vectors)) => vectors,
            _ => Vectors::default(),
        }
    }
}

/// Reads the columns `wanted`, batch by batch. `consume` sees each array first; those for which it returns true are
/// left out of the table.
fn read<R: ChunkReader + 'static>(
    source: R,
    wanted: &[ColumnSpec],
    path: &Path,
    consume: impl FnMut(&str, &ArrayRef) -> bool,
) -> Result<Table> {
    read_columns(open(source, path)?, wanted, path, consume)
}

/// Reads columns of an opened file, and those of `optional` that it has.
fn read_present<R: ChunkReader + 'static>(
    opened: ParquetRecordBatchReaderBuilder<R>,
    columns: &[ColumnSpec],
    optional: &[ColumnSpec],
    path: &Path,
) -> Result<Table> {
    let present = optional.iter().filter(|column| opened.schema().field_with_name(column.name).is_ok());
    let wanted: Vec<_> = columns.iter().chain(present).copied().collect();
    read_columns(opened, &wanted, path, |_, _| false)
}

/// Opens a Parquet file and reads its footer.
fn open<R: ChunkReader + 'static>(source: R, path: &Path) -> Result<ParquetRecordBatchReaderBuilder<R>> {
    readable(path, || ParquetRecordBatchReaderBuilder::try_new(source))
}

/// Does one step of reading the file at `path`. Every call of the crates into a file goes through here, since some that are
/// damaged make them panic.
fn readable<T, E: Display>(path: &Path, step: impl FnOnce() -> std::result::Result<T, E>) -> Result<T> {
    match caught(step) {
        Some(result) => result.map_err(|e| damaged(path, e.to_string())),
        None => Err(damaged(path, "its structure makes no sense".into())),
    }
}

fn damaged(path: &Path, why: String) -> Error {
    Error::new(Kind::Cache, "not a readable Parquet file").at(path).because(why)
}

/// Reads columns of an opened file.
fn read_columns<R: ChunkReader + 'static>(
    builder: ParquetRecordBatchReaderBuilder<R>,
    wanted: &[ColumnSpec],
    path: &Path,
    mut consume: impl FnMut(&str, &ArrayRef) -> bool,
) -> Result<Table> {
    let damaged = |why: String| damaged(path, why);
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let metadata = metadata.into_iter().filter_map(|kv| Some((kv.key, kv.value?))).collect();
    for ColumnSpec { name, .. } in wanted {
        if builder.schema().field_with_name(name).is_err() {
            return Err(damaged(format!("it has no column {name}")));
        }
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().map(|column| column.name));
    let mut reader = readable(path, || builder.with_projection(mask).build())?;
    let mut columns: Vec<NamedColumn> = Vec::new();
    while let Some(batch) = readable(path, || reader.next().transpose())? {
        for &ColumnSpec { name, kind: expected } in wanted {
            let array =
                batch.column_by_name(name).ok_or_else(|| damaged(format!("it has no column {name}")))?;
            if consume(name, array) {
                continue;
            }
            let data = from_arrow(array, expected).filter(|data| data.is_of_type(expected));
            let data = data.ok_or_else(|| damaged(mismatch(name, expected, array)))?;
            match columns.iter_mut().find(|column| column.name == name) {
                Some(column) => column.data.extend(data),
                None => columns.push(NamedColumn { name: name.to_string(), data }),
            }
        }
    }
    Ok(Table { columns, metadata })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let values = vec![1.0, 2.0, f32::MIN_POSITIVE, -0.0, 5.0, 6.5];
        Table::new([
            ("name", ColumnData::Text(vec!["é".into(), "b".into()])),
            ("maybe", ColumnData::OptionalText(vec![None, Some("x".into())])),
            ("small", ColumnData::Int32(vec![1, -2])),
            ("large", ColumnData::Int64(vec![i64::MIN, 5])),
            ("share", ColumnData::Float32(vec![0.1, 1.0])),
            ("v", ColumnData::Vectors(Vectors { width: 3, values })),
        ])
        .with_metadata([("k", "v".to_string())])
    }

    const NAMES: [ColumnSpec<'static>; 6] = [
        ColumnSpec::new("name", ColumnType::Text),
        ColumnSpec::new("maybe", ColumnType::OptionalText),
        ColumnSpec::new("small", ColumnType::Integers),
        ColumnSpec::new("large", ColumnType::Integers),
        ColumnSpec::new("share", ColumnType::Floats),
        ColumnSpec::new("v", ColumnType::Vectors),
    ];

    #[test]
    fn tables_survive_a_round_trip() {
        let read = Table::decode(table().encode(), &NAMES, Path::new("t")).unwrap();
        assert_eq!(read.columns, table().columns);
        assert_eq!(read.metadata["k"], "v");
    }

    #[test]
    fn the_same_table_gives_the_same_bytes() {
        assert_eq!(table().encode(), table().encode());
    }

    #[test]
    fn a_damaged_file_or_a_missing_column_is_an_error_with_the_path() {
        let bytes = table().encode();
        for (bytes, names) in [
            (bytes[..bytes.len() - 9].to_vec(), &NAMES[..]),
            (b"PAR1".to_vec(), &NAMES[..]),
            (bytes.clone(), &[ColumnSpec::new("nothing", ColumnType::Text)][..]),
            (bytes.clone(), &[ColumnSpec::new("small", ColumnType::Text)][..]),
            (bytes.clone(), &[ColumnSpec::new("maybe", ColumnType::Text)][..]),
            (bytes.clone(), &[ColumnSpec::new("name", ColumnType::Digests)][..]),
        ] {
            let error = Table::decode(bytes, names, Path::new("some/part")).unwrap_err();
            assert!(error.with_causes().starts_with("some/part: not a readable Parquet file: "), "{error}");
        }
    }

    fn rows(range: std::ops::Range<usize>) -> Table {
        let values = range.clone().map(|i| i as f32).collect();
        Table::new([
            ("name", ColumnData::Text(range.clone().map(|i| i.to_string()).collect())),
            ("number", ColumnData::Int64(range.map(|i| i as i64).collect())),
            ("v", ColumnData::Vectors(Vectors { width: 1, values })),
        ])
        .with_metadata([("k", "v".to_string())])
    }

    /// The footer: `FileMetaData` in the compact protocol of Thrift, before its length (4 bytes) and `PAR1`.
    fn footer(file: &[u8]) -> &[u8] {
        let end = file.len() - 8;
        let length = u32::from_le_bytes(file[end..end + 4].try_into().unwrap()) as usize;
        &file[end - length..end]
    }

    #[test]
    fn every_column_has_the_type_defined_order_that_old_readers_know() {
        // The last field is number 7, a list (0x19) of unions (0x3c for three of them); in each, field 1 (0x1c) is an
        // empty struct, `TypeDefinedOrder`. The IEEE 754 order would be field 2 (0x2c).
        let orders = [[0x1c, 0x00, 0x00]; 3].concat();
        let expected = [&[0x19, 0x3c][..], &orders, &[0x00]].concat();
        let file = rows(0..3).encode();
        assert!(footer(&file).ends_with(&expected), "{:x?}", &footer(&file)[footer(&file).len() - 16..]);
    }

    #[test]
    fn row_groups_are_small_and_floats_have_no_statistics() {
        let file = rows(0..20_000).encode();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
        let groups = reader.metadata().row_groups();
        let sizes: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
        assert_eq!(sizes, [8192, 8192, 3616]);
        let has_statistics = groups[0].columns().iter().map(|column| column.statistics().is_some());
        assert_eq!(has_statistics.collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn pieces_become_one_file_that_is_recognised() {
        let dir = tempfile::tempdir().unwrap();
        let [whole, arrow, other] = ["whole", "arrow", "other"].map(|name| dir.path().join(name));
        let mut bytes = Vec::new();
        let mut writer = TableWriter::parquet(&mut bytes, &rows(0..0).columns, &rows(0..0).metadata);
        for start in (0..20_000).step_by(5_000) {
            writer.write(rows(start..start + 5_000).columns).unwrap();
        }
        writer.finish().unwrap();
        let columns = [ColumnSpec::new("name", ColumnType::Text), ColumnSpec::new("v", ColumnType::Vectors)];
        let read = Table::decode(bytes.clone(), &columns, &whole).unwrap();
        assert_eq!(read, Table::decode(rows(0..20_000).encode(), &columns, &whole).unwrap());
        std::fs::write(&whole, bytes).unwrap();
        let mut writer =
            TableWriter::arrow(File::create(&arrow).unwrap(), &rows(0..0).columns, &rows(0..0).metadata)
                .unwrap();
        writer.write(rows(0..20_000).columns).unwrap();
        writer.finish().unwrap();
        std::fs::write(&other, "PAR1 or not").unwrap();
        assert_eq!([&whole, &arrow, &other].map(|path| parquet_has_key(path, "k")), [true, false, false]);
        assert_eq!([&whole, &arrow, &other].map(|path| arrow_has_key(path, "k")), [false, true, false]);
        assert!(!arrow_has_key(&arrow, "another"));
    }
}
