//! Reads the rows of a manifest as text, whatever its format, one after the other.

use crate::data::dataset::label_set_text;
use crate::data::manifest::{MANIFEST_NAMES, ManifestFormat};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::io::archive::{gunzip, refuse_packed};
use crate::io::parquet::{TextReader, TextValue};
use crate::io::separated;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A column of a manifest.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    /// Whether a file without it is no manifest.
    pub is_required: bool,
    /// The column that may stand for it.
    pub instead: Option<String>,
    /// Whether a value may be a list of names.
    pub takes_list: bool,
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
    if let Some(format) = ManifestFormat::of_table(file) {
        return Ok(format);
    }
    refuse_packed(file)?;
    Err(Error::new(Kind::Input, message).at(file).help(format!(
        "give {or}a table with the columns path and label whose name ends with {MANIFEST_NAMES}"
    )))
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

/// Position of each column among the names in `heading`. A column without a name is in no table.
fn positions(columns: &[Column], path: &Path, heading: &[String]) -> Result<Vec<Option<usize>>> {
    let find = |name: &str| match heading.iter().filter(|own| !name.is_empty() && own.trim() == name).count()
    {
        0 | 1 => Ok(heading.iter().position(|own| !name.is_empty() && own.trim() == name)),
        times => Err(Error::new(Kind::Input, format!("{times} of its columns are called {name}"))
            .at(path)
            .help("give each column a name of its own")),
    };
    let position = |column: &Column| {
        let instead = column.instead.as_deref().map(find).transpose()?.flatten();
        match (find(&column.name)?, instead) {
            (None, None) if column.is_required => Err(no_column(path, &column.name, heading)),
            (Some(_), Some(instead)) => {
                let both = format!("it has both a column {} and a column {}", column.name, heading[instead]);
                Err(Error::new(Kind::Input, both)
                    .at(path)
                    .help("say which one holds the labels with `label_column` or `labels_column`"))
            }
            (found, _) => Ok(found),
        }
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

/// Opens a table of text, which is unpacked where its first bytes are those of gzip.
///
/// # Errors
/// [`Kind::Io`] when it cannot be read, [`Kind::Input`] when it is UTF-16.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|e| Error::io("read", path, e))?;
    match start {
        [0x1f, 0x8b, ..] => Ok(Box::new(gunzip(file))),
        // A mark of the byte order, or a first character of ASCII in two bytes.
        [first, second, ..] if matches!((first, second), (0xff, 0xfe) | (0xfe, 0xff) | (0, _) | (_, 0)) => {
            Err(Error::new(Kind::Input, "the table is not UTF-8 but UTF-16, as spreadsheets write it")
                .at(path)
                .help("save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8"))
        }
        _ => Ok(Box::new(file)),
    }
}

/// What a table needs, where it has nothing.
const EXPECTED: &str = "name the columns path and label on its first line, then give a line for each image";

fn separated(path: &Path, separator: u8, columns: &[Column], visit: &mut dyn FnMut(Row)) -> Result<()> {
    let mut records = separated::records(open(path)?, separator);
    let read = |record: std::io::Result<separated::Record>| record.map_err(|e| Error::io("read", path, e));
    let heading = match records.next().map(read).transpose()? {
        Some(record) => record
            .fields
            .map_err(|why| Error::new(Kind::Input, format!("line {}: {why}", record.line)).at(path))?,
        None => return Err(Error::new(Kind::Input, "the manifest is empty").at(path).help(EXPECTED)),
    };
    // Spreadsheets write semicolons where a comma is the decimal mark.
    if separator == b',' && matches!(heading.as_slice(), [all] if all.contains(';')) {
        return separated(path, b';', columns, visit);
    }
    let positions = positions(columns, path, &heading)?;
    for record in records {
        let separated::Record { line, fields } = read(record)?;
        let values = fields.and_then(|fields| wanted(fields, heading.len(), columns, &positions));
        visit(Row { line, values });
    }
    Ok(())
}

/// The values at `positions`. A line break in one is refused: most often a quote is missing, and the value holds other rows.
fn wanted(
    mut fields: Vec<String>,
    expected: usize,
    columns: &[Column],
    positions: &[Option<usize>],
) -> std::result::Result<Vec<String>, String> {
    if fields.len() != expected {
        return Err(format!("{} fields, where the first line has {expected}", fields.len()));
    }
    let value = |(column, at): (&Column, &Option<usize>)| {
        let value = at.map_or(String::new(), |at| std::mem::take(&mut fields[at]));
        match value.matches('\n').count().max(value.matches('\r').count()) {
            0 => Ok(value),
            breaks => {
                Err(format!("its {} goes on for {breaks} more lines, up to a quote there", column.name))
            }
        }
    };
    columns.iter().zip(positions).map(value).collect()
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
        let object: std::result::Result<Object, _> = serde_json::from_slice(&bytes);
        let object = object.map(|object| object.0).map_err(|e| format!("no JSON object: {e}"));
        let values = object.and_then(|object| {
            for name in object.keys().filter(|name| !names.contains(*name)).cloned().collect::<Vec<_>>() {
                names.insert(name);
            }
            columns.iter().map(|column| json_text(object.get(&column.name), column)).collect()
        });
        visit(Row { line, values });
    }
    if names.is_empty() {
        let message = "the manifest has no JSON object on any line";
        let help = "give an object for each image, such as {\"path\": \"cat/1.jpg\", \"label\": \"cat\"}";
        return Err(Error::new(Kind::Input, message).at(path).help(help));
    }
    // A row may lack a value, but no column may be missing from all of them.
    positions(columns, path, &Vec::from_iter(names)).map(drop)
}

/// A JSON object, whose keys occur once.
struct Object(serde_json::Map<String, serde_json::Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Object, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
            if object.contains_key(&key) {
                return Err(serde::de::Error::custom(format!("the key {key:?} occurs twice")));
            }
            object.insert(key, value);
        }
        Ok(Object(object))
    }
}

/// The text of a value: of a number its digits, nothing for null, of a list of names their text.
fn json_text(value: Option<&serde_json::Value>, column: &Column) -> std::result::Result<String, String> {
    use serde_json::Value;
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        _ if column.name.is_empty() => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ Value::Number(_)) => Ok(value.to_string()),
        Some(Value::Array(values)) if column.takes_list => {
            let names: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            names.map_or_else(|| Err(no_names(column)), |names| list_text(&names, column))
        }
        Some(Value::Array(_) | Value::Object(_) | Value::Bool(_)) => Err(no_text(column)),
    }
}

/// The text of a list of names.
fn list_text<T: AsRef<str>>(names: &[T], column: &Column) -> std::result::Result<String, String> {
    match names.iter().any(|name| name.as_ref().contains('|')) {
        true => Err(no_names(column)),
        false => Ok(label_set_text(names)),
    }
}

fn no_names(column: &Column) -> String {
    format!("the value of {} is no list of names without |", column.name)
}

fn no_text(column: &Column) -> String {
    format!("the value of {} is no text", column.name)
}

fn parquet(path: &Path, columns: &[Column], visit: &mut dyn FnMut(Row)) -> Result<()> {
    refuse_packed(path)?;
    let reader = TextReader::open(path)?;
    let heading = reader.columns();
    let positions = positions(columns, path, &heading)?;
    let present: Vec<String> = positions.iter().flatten().map(|&at| heading[at].clone()).collect();
    reader.for_each(&present, |line, row| {
        let mut row = row.into_iter();
        let value = |(column, at): (&Column, &Option<usize>)| match at.and_then(|_| row.next()) {
            None => Ok(String::new()),
            Some(TextValue::One(text)) => Ok(text),
            Some(TextValue::Several(names)) if column.takes_list => list_text(&names, column),
            Some(TextValue::Several(_) | TextValue::Other) => Err(no_text(column)),
        };
        visit(Row { line, values: columns.iter().zip(&positions).map(value).collect() });
        Ok(())
    })
}
