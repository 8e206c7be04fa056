//! Tables in memory to Parquet bytes and back, the only door to `arrow` and `parquet`. It refuses to know what the
//! columns mean.

pub use super::column::{Column, Holds};

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Int32Array, Int64Array, StringArray,
};
use arrow::datatypes::{DataType, Field, Float32Type, Int32Type, Int64Type, Schema};
use arrow::ipc::writer::FileWriter as ArrowFileWriter;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Named columns of one length, with text metadata of the whole file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// In the order of the file.
    pub columns: Vec<(String, Column)>,
    /// Key-value metadata of the file.
    pub metadata: BTreeMap<String, String>,
}

impl Table {
    /// The Parquet file of this table: zstd, dictionaries for text, plain floats.
    pub fn encode(self) -> Vec<u8> {
        let entry = |(key, value): (&String, &String)| KeyValue::new(key.clone(), value.clone());
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level")))
            .set_created_by(concat!("headstart ", env!("CARGO_PKG_VERSION")).into())
            .set_key_value_metadata(Some(self.metadata.iter().map(entry).collect()));
        for (name, column) in &self.columns {
            if matches!(column, Column::Vectors { .. }) {
                let leaf = ColumnPath::new(vec![name.clone(), "list".into(), "item".into()]);
                properties = properties.set_column_dictionary_enabled(leaf, false);
            }
        }
        let (schema, batch) = batch(self.columns);
        let mut out = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut out, schema, Some(properties.build())).expect("a plain schema");
        writer.write(&batch).expect("writing to memory");
        writer.close().expect("writing to memory");
        out
    }

    /// The Arrow IPC file of this table, uncompressed, so that readers can map it into memory.
    pub fn encode_arrow(self) -> Vec<u8> {
        let metadata = HashMap::from_iter(self.metadata);
        let (schema, batch) = batch(self.columns);
        let schema = Arc::new(schema.as_ref().clone().with_metadata(metadata));
        let batch = batch.with_schema(schema.clone()).expect("the same columns");
        let mut writer = ArrowFileWriter::try_new(Vec::new(), &schema).expect("a plain schema");
        writer.write(&batch).expect("writing to memory");
        writer.into_inner().expect("writing to memory")
    }

    /// The CSV file of this table, with a line of names; for tables without vectors.
    pub fn encode_csv(self) -> Vec<u8> {
        let mut out = Vec::new();
        arrow::csv::Writer::new(&mut out).write(&batch(self.columns).1).expect("text and numbers");
        out
    }

    /// Reads columns of a file's `bytes`; `path` is for messages.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the bytes are not a whole Parquet file, or a column is missing or of another type.
    pub fn decode(bytes: Vec<u8>, columns: &[(&str, Holds)], path: &Path) -> Result<Self> {
        read(bytes::Bytes::from(bytes), columns, path, |_, _| false)
    }

    /// Reads columns of a file's `bytes`, and hands the vectors of one more column, `vectors`, to `visit` as they lie in
    /// memory, many rows at a time: their width and their floats.
    ///
    /// # Errors
    /// As [`Table::decode`].
    pub fn scan(
        bytes: Vec<u8>,
        columns: &[(&str, Holds)],
        vectors: &str,
        path: &Path,
        mut visit: impl FnMut(usize, &[f32]),
    ) -> Result<Self> {
        let columns = [columns, &[(vectors, Holds::Vectors)]].concat();
        read(bytes::Bytes::from(bytes), &columns, path, |name, array| {
            let taken = floats(array).filter(|_| name == vectors);
            taken.map(|(width, floats)| visit(width, floats)).is_some()
        })
    }

    /// Reads columns of the file at `path`, and no more of it than they need.
    ///
    /// # Errors
    /// As [`Table::decode`], and when the file cannot be opened.
    pub fn read(path: &Path, columns: &[(&str, Holds)]) -> Result<Self> {
        read(File::open(path).map_err(|e| Error::io("open", path, e))?, columns, path, |_, _| false)
    }

    fn take(&mut self, name: &str) -> Option<Column> {
        let at = self.columns.iter().position(|(known, _)| known == name)?;
        Some(self.columns.swap_remove(at).1)
    }

    /// Takes a text column out; empty when the file has no rows.
    pub fn text(&mut self, name: &str) -> Vec<String> {
        match self.take(name) {
            Some(Column::Text(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Takes a text column with gaps out.
    pub fn optional_text(&mut self, name: &str) -> Vec<Option<String>> {
        match self.take(name) {
            Some(Column::Text(values)) => values.into_iter().map(Some).collect(),
            Some(Column::OptionalText(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Takes a column of digests out.
    pub fn digests(&mut self, name: &str) -> Vec<Digest> {
        match self.take(name) {
            Some(Column::Digests(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Takes an integer column out.
    pub fn integers(&mut self, name: &str) -> Vec<i64> {
        match self.take(name) {
            Some(Column::Int32(values)) => values.into_iter().map(i64::from).collect(),
            Some(Column::Int64(values)) => values,
            _ => Vec::new(),
        }
    }

    /// Takes a column of vectors out: their width and their floats.
    pub fn vectors(&mut self, name: &str) -> (usize, Vec<f32>) {
        match self.take(name) {
            Some(Column::Vectors { width, values }) => (width, values),
            _ => (0, Vec::new()),
        }
    }
}

/// Reads columns, but for the pieces of them that `taken` takes.
fn read<R: ChunkReader + 'static>(
    source: R,
    wanted: &[(&str, Holds)],
    path: &Path,
    mut taken: impl FnMut(&str, &ArrayRef) -> bool,
) -> Result<Table> {
    let damaged = |why: String| Error::new(Kind::Cache, "not a readable Parquet file").at(path).because(why);
    let builder = ParquetRecordBatchReaderBuilder::try_new(source).map_err(|e| damaged(e.to_string()))?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let metadata = metadata.into_iter().filter_map(|kv| Some((kv.key, kv.value?))).collect();
    for (name, _) in wanted {
        if builder.schema().field_with_name(name).is_err() {
            return Err(damaged(format!("it has no column {name}")));
        }
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().map(|(name, _)| *name));
    let reader = builder.with_projection(mask).build().map_err(|e| damaged(e.to_string()))?;
    let mut columns: Vec<(String, Column)> = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| damaged(e.to_string()))?;
        for (name, holds) in wanted {
            let array =
                batch.column_by_name(name).ok_or_else(|| damaged(format!("it has no column {name}")))?;
            let unfit = || match *holds {
                Holds::Digests => damaged(format!("its column {name} holds something else than digests")),
                _ => damaged(format!("its column {name} has the type {} or gaps", array.data_type())),
            };
            if taken(name, array) {
                continue;
            }
            let part = column(array, *holds).filter(|part| part.fits(*holds)).ok_or_else(unfit)?;
            match columns.iter_mut().find(|(known, _)| known == name) {
                Some((_, whole)) => whole.extend(part),
                None => columns.push(((*name).to_string(), part)),
            }
        }
    }
    Ok(Table { columns, metadata })
}

fn field(name: &str, column: &Column) -> Field {
    let kind = match column {
        Column::Text(_) | Column::OptionalText(_) | Column::Digests(_) => DataType::Utf8,
        Column::Int32(_) => DataType::Int32,
        Column::Int64(_) => DataType::Int64,
        Column::Vectors { width, .. } => DataType::FixedSizeList(item(), *width as i32),
    };
    Field::new(name, kind, matches!(column, Column::OptionalText(_)))
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// The columns as Arrow has them; the numbers are moved, not copied.
fn batch(columns: Vec<(String, Column)>) -> (Arc<Schema>, RecordBatch) {
    let fields: Vec<Field> = columns.iter().map(|(name, column)| field(name, column)).collect();
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, column)| array(column)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).expect("columns of one length");
    (schema, batch)
}

fn array(column: Column) -> ArrayRef {
    match column {
        Column::Text(values) => Arc::new(StringArray::from_iter_values(values)),
        Column::OptionalText(values) => Arc::new(StringArray::from_iter(values)),
        Column::Digests(values) => {
            Arc::new(StringArray::from_iter_values(values.iter().map(Digest::to_string)))
        }
        Column::Int32(values) => Arc::new(Int32Array::from(values)),
        Column::Int64(values) => Arc::new(Int64Array::from(values)),
        Column::Vectors { width, values } => {
            let values = Arc::new(Float32Array::from(values));
            Arc::new(FixedSizeListArray::new(item(), width as i32, values, None))
        }
    }
}

fn column(array: &ArrayRef, holds: Holds) -> Option<Column> {
    match array.data_type() {
        DataType::Utf8 if holds == Holds::Digests => {
            let digest = |text: Option<&str>| text?.parse().ok();
            array.as_string::<i32>().iter().map(digest).collect::<Option<_>>().map(Column::Digests)
        }
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            Some(match text.null_count() {
                0 => Column::Text(text.iter().flatten().map(String::from).collect()),
                _ => Column::OptionalText(text.iter().map(|v| v.map(String::from)).collect()),
            })
        }
        DataType::Int32 if array.null_count() == 0 => {
            Some(Column::Int32(array.as_primitive::<Int32Type>().values().to_vec()))
        }
        DataType::Int64 if array.null_count() == 0 => {
            Some(Column::Int64(array.as_primitive::<Int64Type>().values().to_vec()))
        }
        DataType::FixedSizeList(..) => {
            floats(array).map(|(width, values)| Column::Vectors { width, values: values.to_vec() })
        }
        _ => None,
    }
}

/// The width and the floats of a column of vectors without gaps.
fn floats(array: &ArrayRef) -> Option<(usize, &[f32])> {
    let lists = array.as_fixed_size_list_opt()?;
    let floats = lists.values().as_primitive_opt::<Float32Type>()?;
    let whole = lists.null_count() == 0 && floats.null_count() == 0;
    whole.then(|| (lists.value_length() as usize, &floats.values()[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = vec![
            ("name".into(), Column::Text(vec!["é".into(), "b".into()])),
            ("maybe".into(), Column::OptionalText(vec![None, Some("x".into())])),
            ("small".into(), Column::Int32(vec![1, -2])),
            ("large".into(), Column::Int64(vec![i64::MIN, 5])),
            (
                "v".into(),
                Column::Vectors { width: 3, values: vec![1.0, 2.0, f32::MIN_POSITIVE, -0.0, 5.0, 6.5] },
            ),
        ];
        Table { columns, metadata: BTreeMap::from([("k".into(), "v".into())]) }
    }

    const NAMES: [(&str, Holds); 5] = [
        ("name", Holds::Text),
        ("maybe", Holds::OptionalText),
        ("small", Holds::Integers),
        ("large", Holds::Integers),
        ("v", Holds::Vectors),
    ];

    #[test]
    fn what_is_written_is_read() {
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
            (bytes.clone(), &[("nothing", Holds::Text)][..]),
            (bytes.clone(), &[("small", Holds::Text)][..]),
            (bytes.clone(), &[("maybe", Holds::Text)][..]),
            (bytes.clone(), &[("name", Holds::Digests)][..]),
        ] {
            let error = Table::decode(bytes, names, Path::new("some/part")).unwrap_err();
            assert!(error.with_causes().starts_with("some/part: not a readable Parquet file: "), "{error}");
        }
    }
}
