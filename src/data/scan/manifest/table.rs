//! Reads the rows of a manifest as text, whatever its format, one after the other.

use crate::data::dataset::label_set_text;
use crate::data::manifest::{MANIFEST_NAMES, ManifestFormat};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::parquet::TextReader;
use crate::io::separated;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A column of a manifest.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    /// Whether a file without it is no manifest.
    pub is_required: bool,
    /// The column that may stand for it.
    pub instead: Option<String>,
}

/// A row of a manifest.
pub(super) struct Row {
    /// Its line, or its number in a Parquet file, from 1.
    pub line: u64,
    /// A value for each column, empty where there is none; or why the row cannot be read.
    pub values: std::result::Result<Vec<String>, String>,
}

/// The format of a table, by its name. An error has the `message`, and names what else may be given.
///
/// # Errors
/// [`Kind::Input`] where the name stands for none.
pub(super) fn format(file: &Path, message: &str, or: &str) -> Result<ManifestFormat> {
    ManifestFormat::from_path(file).ok_or_else(|| {
        Error::new(Kind::Input, message).at(file).help(format!(
            "give {or}a table with the columns path and label whose name ends with {MANIFEST_NAMES}"
        ))
    })
}

/// Passes each row of the manifest at `path` to `visit`.
///
/// # Errors
/// [`Kind::Input`] when the file cannot be read as a manifest, or lacks a required column.
pub(super) fn for_each_row(
    path: &Path,
    format: ManifestFormat,
    columns: &[Column],
    visit: &mut dyn FnMut(Row),
) -> Result<()> {
    match format {
        ManifestFormat::Csv => separated(path, b',', columns, visit),
        ManifestFormat::Tsv => separated(path, b'\t', columns, visit),
        ManifestFormat::JsonLines => json_lines(path, columns, visit),
        ManifestFormat::Parquet => parquet(path, columns, visit),
    }
}

/// Position of each column among the names in `heading`.
fn positions(columns: &[Column], path: &Path, heading: &[String]) -> Result<Vec<Option<usize>>> {
    let position = |name: &str| heading.iter().position(|own| own.trim() == name);
    let is_replaced =
        |column: &Column| column.instead.as_deref().is_some_and(|name| position(name).is_some());
    let position = |column: &Column| match position(&column.name) {
        None if column.is_required && !is_replaced(column) => Err(no_column(path, &column.name, heading)),
        found => Ok(found),
    };
    columns.iter().map(position).collect()
}

fn no_column(path: &Path, missing: &str, heading: &[String]) -> Error {
    let names: Vec<&str> = heading.iter().map(|name| name.trim()).collect();
    let message = format!("it has no column {missing}; its columns are {}", names.join(", "));
    let meant = did_you_mean(missing, names);
    Error::new(Kind::Input, message).at(path).help(format!(
        "{meant}its first line must name the columns; where they are called otherwise, name them with `path_column`, \
         `label_column`, `labels_column`, `split_column`, `group_column` or `weight_column`"
    ))
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| Error::io("open", path, e))
}

fn separated(path: &Path, separator: u8, columns: &[Column], visit: &mut dyn FnMut(Row)) -> Result<()> {
    let mut records = separated::records(open(path)?, separator);
    let read = |record: std::io::Result<separated::Record>| record.map_err(|e| Error::io("read", path, e));
    let heading = match records.next().map(read).transpose()? {
        Some(record) => record.fields.map_err(|why| Error::new(Kind::Input, why).at(path))?,
        None => return Err(Error::new(Kind::Input, "the manifest is empty").at(path)),
    };
    let positions = positions(columns, path, &heading)?;
    for record in records {
        let separated::Record { line, fields } = read(record)?;
        let values = fields.and_then(|mut fields| {
            if fields.len() != heading.len() {
                return Err(format!("{} fields, where the first line has {}", fields.len(), heading.len()));
            }
            let mut value =
                |at: &Option<usize>| at.map_or(String::new(), |at| std::mem::take(&mut fields[at]));
            Ok(positions.iter().map(&mut value).collect())
        });
        visit(Row { line, values });
    }
    Ok(())
}

fn json_lines(path: &Path, columns: &[Column], visit: &mut dyn FnMut(Row)) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, open(path)?);
    let mut bytes = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for line in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(|e| Error::io("read", path, e))? == 0 {
            break;
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let object: std::result::Result<serde_json::Map<_, _>, _> = serde_json::from_slice(&bytes);
        let object = object.map_err(|e| format!("no JSON object: {e}"));
        let values = object.and_then(|object| {
            for name in object.keys().filter(|name| !names.contains(*name)).cloned().collect::<Vec<_>>() {
                names.insert(name);
            }
            columns.iter().map(|column| json_text(object.get(&column.name), &column.name)).collect()
        });
        visit(Row { line, values });
    }
    if names.is_empty() {
        return Err(Error::new(Kind::Input, "the manifest has no JSON object on any line").at(path));
    }
    // A row may lack a value, but no column may be missing from all of them.
    positions(columns, path, &Vec::from_iter(names)).map(drop)
}

/// The text of a value: of a number its digits, nothing for null, of a list of names their text.
fn json_text(value: Option<&serde_json::Value>, name: &str) -> std::result::Result<String, String> {
    use serde_json::Value;
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        Some(Value::Array(values)) => {
            let names: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            let names = names.filter(|names| !names.iter().any(|name| name.contains('|')));
            let names = names.ok_or_else(|| format!("the value of {name} is no list of names without |"))?;
            Ok(label_set_text(&names))
        }
        Some(Value::Object(_)) => Err(format!("the value of {name} is no text")),
    }
}

fn parquet(path: &Path, columns: &[Column], visit: &mut dyn FnMut(Row)) -> Result<()> {
    let reader = TextReader::open(path)?;
    let heading = reader.columns();
    let positions = positions(columns, path, &heading)?;
    let present: Vec<String> = positions.iter().flatten().map(|&at| heading[at].clone()).collect();
    reader.for_each(&present, |line, row| {
        let mut row = row.into_iter();
        let value = |at: &Option<usize>| at.and_then(|_| row.next()).unwrap_or_default();
        visit(Row { line, values: Ok(positions.iter().map(value).collect()) });
        Ok(())
    })
}
