//! Writes tables as Parquet or Arrow IPC files, piece by piece.
//!
//! The footer is what readers of the last years know. The `parquet` crate declares the IEEE 754 total order for columns of
//! floats from version 60 on, and readers older than that order reject the whole file; version 59 declares the type-defined
//! order. Since min and max of floats mean different things in the two orders, columns of floats have no statistics.

use super::column::{ColumnData, NamedColumn};
use super::convert::{record_batch, schema};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader as ArrowFileReader;
use arrow::ipc::writer::FileWriter as ArrowFileWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Upper limit on rows in a row group or record batch, the unit that streaming readers hold in memory. With 2,048 floats a
/// row this is 64 MiB.
pub const MAX_GROUP_ROWS: usize = 8192;

/// Text metadata of a file.
type Metadata = BTreeMap<String, String>;

/// Writes tables with the same columns, one after the other, as one file.
pub struct TableWriter<W: Write + Send> {
    format: FormatWriter<W>,
    schema: Arc<Schema>,
}

enum FormatWriter<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<ArrowFileWriter<W>>),
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a Parquet file with the columns and metadata given; the rows in `columns` are not written. It has row groups of at most
    /// [`MAX_GROUP_ROWS`] rows, zstd compression, dictionaries for text, plain floats without statistics.
    pub fn parquet(out: W, columns: &[NamedColumn], metadata: &Metadata) -> Self {
        let schema = Arc::new(schema(columns));
        let properties = properties(columns, metadata);
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).expect("a plain schema");
        Self { format: FormatWriter::Parquet(Box::new(writer)), schema }
    }

    /// Begins an Arrow IPC file with the columns and metadata given; the rows in `columns` are not written. It is uncompressed, so
    /// that readers can map it into memory, in record batches of at most [`MAX_GROUP_ROWS`] rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn arrow(out: W, columns: &[NamedColumn], metadata: &Metadata) -> io::Result<Self> {
        let metadata = HashMap::from_iter(metadata.clone());
        let schema = Arc::new(schema(columns).with_metadata(metadata));
        let writer = ArrowFileWriter::try_new(out, &schema).map_err(arrow_error)?;
        Ok(Self { format: FormatWriter::Arrow(Box::new(writer)), schema })
    }

    /// Appends the rows of `columns`.
    ///
    /// # Errors
    /// Those of the file.
    ///
    /// # Panics
    /// When the columns differ in length, or are not those of the file.
    pub fn write(&mut self, columns: Vec<NamedColumn>) -> io::Result<()> {
        let batch = record_batch(columns).with_schema(self.schema.clone()).expect("the same columns");
        match &mut self.format {
            FormatWriter::Parquet(writer) => writer.write(&batch).map_err(parquet_error),
            FormatWriter::Arrow(writer) => {
                (0..batch.num_rows()).step_by(MAX_GROUP_ROWS).try_for_each(|start| {
                    let rows = MAX_GROUP_ROWS.min(batch.num_rows() - start);
                    writer.write(&batch.slice(start, rows)).map_err(arrow_error)
                })
            }
        }
    }

    /// Writes the footer.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(self) -> io::Result<()> {
        match self.format {
            FormatWriter::Parquet(writer) => writer.close().map(drop).map_err(parquet_error),
            FormatWriter::Arrow(mut writer) => writer.finish().map_err(arrow_error),
        }
    }
}

fn properties(columns: &[NamedColumn], metadata: &Metadata) -> WriterProperties {
    let entry = |(key, value): (&String, &String)| KeyValue::new(key.clone(), value.clone());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level")))
        .set_max_row_group_row_count(Some(MAX_GROUP_ROWS))
        .set_created_by(concat!("headstart ", env!("CARGO_PKG_VERSION")).into())
        .set_key_value_metadata(Some(metadata.iter().map(entry).collect()));
    columns
        .iter()
        .filter_map(float_leaf)
        .fold(properties, |properties, leaf| {
            properties
                .set_column_dictionary_enabled(leaf.clone(), false)
                .set_column_statistics_enabled(leaf, EnabledStatistics::None)
        })
        .build()
}

/// The leaf that holds the floats of a column; `None` for a column of another type.
fn float_leaf(column: &NamedColumn) -> Option<ColumnPath> {
    let name = column.name.clone();
    match column.data {
        ColumnData::Vectors(_) => Some(ColumnPath::new(vec![name, "list".into(), "item".into()])),
        ColumnData::Float32(_) => Some(ColumnPath::new(vec![name])),
        _ => None,
    }
}

/// The error of the file below the encoder.
fn parquet_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

fn arrow_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, source) => source,
        other => io::Error::other(other),
    }
}

/// Whether the file at `path` is a Parquet file with the key `key` in its metadata.
pub fn parquet_has_key(path: &Path, key: &str) -> bool {
    let footer = File::open(path).ok().and_then(|file| ParquetRecordBatchReaderBuilder::try_new(file).ok());
    let has_key = |entries: &Vec<KeyValue>| entries.iter().any(|entry| entry.key == key);
    footer.is_some_and(|footer| footer.metadata().file_metadata().key_value_metadata().is_some_and(has_key))
}

/// Whether the file at `path` is an Arrow IPC file with the key `key` in its metadata.
pub fn arrow_has_key(path: &Path, key: &str) -> bool {
    let footer = File::open(path).ok().and_then(|file| ArrowFileReader::try_new(file, None).ok());
    footer.is_some_and(|footer| footer.schema().metadata().contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_file_is_reported_as_such() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let column =
            |rows: i64| vec![NamedColumn { name: "n".into(), data: ColumnData::Int64((0..rows).collect()) }];
        let mut writer = TableWriter::parquet(Full, &column(0), &BTreeMap::new());
        let written = writer.write(column(9000)).and_then(|()| writer.finish());
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
