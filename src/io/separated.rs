//! Reads and writes tables of text with separators (CSV, TSV). The only user of the `csv` crate.

use std::io::{Read, Write};
#[cfg(feature = "report")]
use std::path::Path;

/// One record of a table, with the line of the file on which it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub line: u64,
    /// The fields; the message of the reader where they are not text in UTF-8.
    pub fields: Result<Vec<String>, String>,
}

/// Iterates over the records of `source`, whose fields are separated by `separator` and quoted as in RFC 4180. Lines may have
/// any number of fields, a mark of the byte order is left out, and empty lines are skipped. An error ends the records: the
/// file cannot be read on.
pub(crate) fn records(source: impl Read, separator: u8) -> impl Iterator<Item = std::io::Result<Record>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(1 << 16)
        // Every record ends with a line break then, from which its line follows.
        .from_reader(source.chain(&b"\n"[..]));
    let mut record = csv::ByteRecord::new();
    std::iter::from_fn(move || match reader.read_byte_record(&mut record) {
        Ok(false) => None,
        Err(e) => Some(Err(std::io::Error::other(e))),
        Ok(true) => {
            let breaks = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
            let line = reader.position().line().saturating_sub(1 + breaks);
            let text =
                |field: &[u8]| String::from_utf8(field.to_vec()).map_err(|e| e.utf8_error().to_string());
            Some(Ok(Record { line, fields: record.iter().map(text).collect() }))
        }
    })
}

/// The first record of the file at `path`; `None` when it cannot be read.
#[cfg(feature = "report")]
pub(crate) fn heading(path: &Path) -> Option<Vec<String>> {
    let file = std::fs::File::open(path).ok()?;
    records(file, b',').next()?.ok()?.fields.ok()
}

/// Writes records with a separator, with quotes where a field needs them.
pub(crate) struct Writer<W: Write>(csv::Writer<W>);

impl<W: Write> Writer<W> {
    /// Begins a table.
    pub fn new(out: W, separator: u8) -> Self {
        Self(csv::WriterBuilder::new().delimiter(separator).from_writer(out))
    }

    /// Writes one record.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write<T: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = T>) -> std::io::Result<()> {
        self.0.write_record(fields).map_err(std::io::Error::other)
    }

    /// Writes what is left in memory.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_lines_and_bad_bytes_spoil_one_record() {
        let text = b"path,label\n\"a\nb\",\"x, \"\"y\"\"\"\n\nc\n\xff,z\n";
        let all: Vec<Record> = records(&text[..], b',').map(Result::unwrap).collect();
        let lines: Vec<u64> = all.iter().map(|record| record.line).collect();
        assert_eq!(lines, [1, 2, 5, 6]);
        assert_eq!(all[1].fields, Ok(vec!["a\nb".into(), "x, \"y\"".into()]));
        assert_eq!(all[2].fields, Ok(vec!["c".into()]));
        assert!(all[3].fields.is_err());
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, b'\t');
        writer.write(["a\tb", "c"]).unwrap();
        writer.finish().unwrap();
        assert_eq!(out, b"\"a\tb\"\tc\n");
        assert_eq!(records(&out[..], b'\t').count(), 1);
    }
}
