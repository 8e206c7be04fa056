//! Reads columns of any plain type as text, row by row: Parquet files that others wrote.

use super::readable;
use crate::error::{Error, Kind, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Parquet file whose columns are read as text.
pub(crate) struct TextReader {
    path: PathBuf,
    reader: SerializedFileReader<File>,
}

/// A value of a column that is read as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextValue {
    /// A text, a number or the like; empty for null.
    One(String),
    /// A list of texts.
    Several(Vec<String>),
    /// Another list, a structure, or bytes that are no text.
    Other,
}

impl TextReader {
    /// Opens the file at `path` and reads its footer.
    ///
    /// # Errors
    /// [`Kind::Input`] when it is not a Parquet file, [`Kind::Io`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        let reader =
            readable(path, || SerializedFileReader::new(file)).map_err(|e| e.of_kind(Kind::Input))?;
        Ok(Self { path: path.to_path_buf(), reader })
    }

    /// Names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.fields().iter().map(|field| field.name().to_string()).collect()
    }

    fn fields(&self) -> &[Arc<Type>] {
        self.reader.metadata().file_metadata().schema().get_fields()
    }

    /// Passes each row to `visit`: its number from 1, and the values of `columns`, empty for nulls. One row is in memory at a
    /// time, and a page of each column.
    ///
    /// # Errors
    /// [`Kind::Input`] when the file is damaged, and those of `visit`.
    pub fn for_each(
        self,
        columns: &[String],
        mut visit: impl FnMut(u64, Vec<TextValue>) -> Result<()>,
    ) -> Result<()> {
        let wanted = |field: &&Arc<Type>| columns.iter().any(|name| name == field.name());
        let fields: Vec<Arc<Type>> = self.fields().iter().filter(wanted).cloned().collect();
        let places: Option<Vec<usize>> =
            columns.iter().map(|name| fields.iter().position(|field| field.name() == name)).collect();
        let places = places.expect("the columns are of this file");
        let in_file = |error: Error| error.of_kind(Kind::Input);
        let mut rows = readable(&self.path, || {
            // A projection has the name of the whole.
            let name = self.reader.metadata().file_metadata().schema().name();
            let projection = Type::group_type_builder(name).with_fields(fields).build()?;
            self.reader.get_row_iter(Some(projection))
        })
        .map_err(in_file)?;
        let mut number = 0;
        let mut next = || readable(&self.path, || rows.next().transpose()).map_err(in_file);
        while let Some(row) = next()? {
            number += 1;
            let values: Vec<&Field> = row.get_column_iter().map(|(_, value)| value).collect();
            visit(number, places.iter().map(|&at| text(values[at])).collect())?;
        }
        Ok(())
    }
}

/// A value as text.
fn text(value: &Field) -> TextValue {
    match value {
        Field::Null => TextValue::One(String::new()),
        Field::Str(text) => TextValue::One(text.clone()),
        Field::Bytes(bytes) => {
            bytes.as_utf8().map_or(TextValue::Other, |text| TextValue::One(text.to_string()))
        }
        Field::ListInternal(list) => {
            let name = |field: &Field| match field {
                Field::Str(name) => Some(name.clone()),
                _ => None,
            };
            let names: Option<Vec<String>> = list.elements().iter().map(name).collect();
            names.map_or(TextValue::Other, TextValue::Several)
        }
        Field::Group(_) | Field::MapInternal(_) => TextValue::Other,
        plain => TextValue::One(plain.to_string()),
    }
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
                let texts = row.iter().map(|value| match value {
                    TextValue::One(text) => text.as_str(),
                    _ => "no text",
                });
                rows.push((number, texts.collect::<Vec<_>>().join("|")));
                Ok(())
            })?;
            Ok::<_, Error>(rows)
        };
        assert_eq!(TextReader::open(&path).unwrap().columns(), ["path", "label", "group", "v"]);
        // The order is that of the request.
        assert_eq!(read(&["label", "path", "group"]).unwrap(), [(1, "7|é|".into()), (2, "-1|b|x".into())]);
        assert_eq!(read(&["v"]).unwrap(), [(1, "no text".into()), (2, "no text".into())]);
    }
}
