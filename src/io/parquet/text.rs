//! Reads columns of any plain type as text, row by row: Parquet files that others wrote.

use super::{damaged, open};
use crate::error::{Error, Kind, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A Parquet file whose columns are read as text.
pub(crate) struct TextReader {
    path: PathBuf,
    builder: ParquetRecordBatchReaderBuilder<File>,
    schema: Schema,
}

impl TextReader {
    /// Opens the file at `path` and reads its footer.
    ///
    /// # Errors
    /// [`Kind::Input`] when it is not a Parquet file, [`Kind::Io`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        let builder = open(file, path).map_err(|e| e.of_kind(Kind::Input))?;
        let schema = builder.schema().as_ref().clone();
        Ok(Self { path: path.to_path_buf(), builder, schema })
    }

    /// Names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Passes each row to `visit`: its number from 1, and the values of `columns`, empty for nulls. A batch of rows is in
    /// memory at a time.
    ///
    /// # Errors
    /// [`Kind::Input`] when the file is damaged or a column holds no plain values, and those of `visit`.
    pub fn for_each(
        self,
        columns: &[String],
        mut visit: impl FnMut(u64, Vec<String>) -> Result<()>,
    ) -> Result<()> {
        let fail = |why: String| damaged(&self.path, why).of_kind(Kind::Input);
        let names = columns.iter().map(String::as_str);
        let mask = ProjectionMask::columns(self.builder.parquet_schema(), names);
        let reader: ParquetRecordBatchReader =
            self.builder.with_projection(mask).build().map_err(|e| fail(e.to_string()))?;
        let mut number = 0;
        for batch in reader {
            let batch = batch.map_err(|e| fail(e.to_string()))?;
            let texts = columns.iter().map(|name| {
                let array = batch.column_by_name(name);
                array
                    .and_then(as_text)
                    .ok_or_else(|| fail(format!("its column {name} holds no plain values")))
            });
            let texts: Vec<ArrayRef> = texts.collect::<Result<_>>()?;
            for row in 0..batch.num_rows() {
                number += 1;
                let value = |column: &ArrayRef| {
                    let text = column.as_string::<i32>();
                    if text.is_null(row) { String::new() } else { text.value(row).to_string() }
                };
                visit(number, texts.iter().map(value).collect())?;
            }
        }
        Ok(())
    }
}

/// The values of an array as text; `None` for lists, structures and the like.
fn as_text(array: &ArrayRef) -> Option<ArrayRef> {
    let is_plain = !array.data_type().is_nested() || matches!(array.data_type(), DataType::Dictionary(..));
    if is_plain { cast(array, &DataType::Utf8).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::parquet::{ColumnData, Table, Vectors};

    #[test]
    fn columns_of_any_plain_type_are_read_as_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let table = Table::new([
            ("path", ColumnData::Text(vec!["é".into(), "b".into()])),
            ("label", ColumnData::Int64(vec![7, -1])),
            ("group", ColumnData::OptionalText(vec![None, Some("x".into())])),
            ("v", ColumnData::Vectors(Vectors { width: 1, values: vec![1.0, 2.0] })),
        ]);
        std::fs::write(&path, table.encode()).unwrap();
        let read = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|name| name.to_string()).collect();
            let mut rows = Vec::new();
            TextReader::open(&path).unwrap().for_each(&columns, |number, row| {
                rows.push((number, row.join("|")));
                Ok(())
            })?;
            Ok::<_, Error>(rows)
        };
        assert_eq!(TextReader::open(&path).unwrap().columns(), ["path", "label", "group", "v"]);
        // The order is that of the request.
        assert_eq!(read(&["label", "path", "group"]).unwrap(), [(1, "7|é|".into()), (2, "-1|b|x".into())]);
        assert_eq!(read(&["v"]).unwrap_err().kind(), Kind::Input);
    }
}
