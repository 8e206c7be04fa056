//! Reads and writes tables of text with separators (CSV, TSV). The only user of the `csv` crate, which writes them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
#[cfg(feature = "report")]
use std::path::Path;

/// Lines that one quoted field may span. A quote that is open for longer is a mistake.
const MOST_LINES: usize = 1000;

/// One record of a table, with the line of the file on which it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub line: u64,
    /// The fields; what is wrong with the record where it cannot be read.
    pub fields: Result<Vec<String>, String>,
}

/// Iterates over the records of `source`, whose fields are separated by `separator` and quoted as in RFC 4180. Lines may have
/// any number of fields, a mark of the byte order is left out, and empty lines are skipped.
///
/// A quote at the start of a field without one at its end spoils the record of its own line alone: reading goes on with the next
/// line. An error ends the records: the file cannot be read on.
pub(crate) fn records(source: impl Read, separator: u8) -> impl Iterator<Item = std::io::Result<Record>> {
    let input = BufReader::with_capacity(1 << 16, source);
    let mut lines = Lines { input, ahead: VecDeque::new(), number: 0 };
    std::iter::from_fn(move || lines.record(separator).transpose())
}

/// The lines of a table.
struct Lines<R> {
    input: R,
    /// Lines that were read and belong to no record yet.
    ahead: VecDeque<Vec<u8>>,
    /// Number of the latest line.
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line with its end, which may be LF, CR or both; `None` at the end of the file.
    fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let line = match self.ahead.pop_front() {
            Some(line) => line,
            None => self.read()?,
        };
        self.number += u64::from(!line.is_empty());
        Ok(Some(line).filter(|line| !line.is_empty()))
    }

    fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let bytes = self.input.fill_buf()?;
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                if bytes.is_empty() {
                    return Ok(line);
                }
                line.extend_from_slice(bytes);
                let length = bytes.len();
                self.input.consume(length);
                continue;
            };
            let is_return = bytes[end] == b'\r';
            line.extend_from_slice(&bytes[..=end]);
            self.input.consume(end + 1);
            if is_return && self.input.fill_buf()?.first() == Some(&b'\n') {
                line.push(b'\n');
                self.input.consume(1);
            }
            return Ok(line);
        }
    }

    fn record(&mut self, separator: u8) -> std::io::Result<Option<Record>> {
        let first = loop {
            let Some(mut line) = self.next()? else { return Ok(None) };
            if self.number == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
            if !matches!(line.as_slice(), b"" | b"\n" | b"\r" | b"\r\n") {
                break line;
            }
        };
        let line = self.number;
        let fields = self.fields(first, separator)?;
        Ok(Some(Record { line, fields }))
    }

    /// The fields of the record that begins with the line `first`. Where it cannot be read, the lines after it are still to come.
    fn fields(&mut self, first: Vec<u8>, separator: u8) -> std::io::Result<Result<Vec<String>, String>> {
        let mut fields = Fields { separator, done: Vec::new(), field: Vec::new(), state: State::Start };
        let mut taken = Vec::new();
        let mut step = fields.add(&first);
        while step == Step::Continues && taken.len() < MOST_LINES {
            let Some(line) = self.next()? else { break };
            step = fields.add(&line);
            taken.push(line);
        }
        if step == Step::Complete {
            let text = |field: Vec<u8>| String::from_utf8(field).map_err(|e| e.utf8_error().to_string());
            return Ok(fields.done.into_iter().map(text).collect());
        }
        self.number -= taken.len() as u64;
        taken.into_iter().rev().for_each(|line| self.ahead.push_front(line));
        let field = fields.done.len() + 1;
        Ok(Err(format!(
            "field {field} has a quote at its start, and none before a separator or the end of a line"
        )))
    }
}

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Complete,
    /// A field goes on in the next line.
    Continues,
    /// Text follows the closing quote of a field.
    Faulty,
}

/// Where a reader of fields is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// After a quote inside a quoted field, which ends the field or is the first of two.
    Closed,
}

/// The fields of one record.
struct Fields {
    separator: u8,
    done: Vec<Vec<u8>>,
    field: Vec<u8>,
    state: State,
}

impl Fields {
    fn add(&mut self, line: &[u8]) -> Step {
        for &byte in line {
            match (self.state, byte) {
                (State::Start, b'"') => self.state = State::Quoted,
                (State::Quoted, b'"') => self.state = State::Closed,
                (State::Quoted, byte) => self.field.push(byte),
                (State::Closed, b'"') => {
                    self.field.push(b'"');
                    self.state = State::Quoted;
                }
                (_, byte) if byte == self.separator => self.end(),
                (_, b'\n' | b'\r') => break,
                (State::Closed, _) => return Step::Faulty,
                (State::Start | State::Plain, byte) => {
                    self.field.push(byte);
                    self.state = State::Plain;
                }
            }
        }
        if self.state == State::Quoted {
            return Step::Continues;
        }
        self.end();
        Step::Complete
    }

    fn end(&mut self) {
        self.done.push(std::mem::take(&mut self.field));
        self.state = State::Start;
    }
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

    #[test]
    fn a_stray_quote_spoils_its_own_line_alone() {
        let lines = |text: &str| {
            let all = records(text.as_bytes(), b',').map(Result::unwrap);
            all.map(|record| (record.line, record.fields.ok().map(|f| f.join("|")))).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_string());
        assert_eq!(lines("a,b\nc,\"d\ne,f\n"), [(1, some("a|b")), (2, None), (3, some("e|f"))]);
        assert_eq!(
            lines("\"a,b\r\nc,d\r\n\"e,f\r\ng,h"),
            [(1, None), (2, some("c|d")), (3, None), (4, some("g|h"))]
        );
        assert_eq!(lines("a,\"b\"c\rd,\"\"\re,f\"g"), [(1, None), (2, some("d|")), (3, some("e|f\"g"))]);
        assert_eq!(lines("\u{feff}a\n\n \n"), [(1, some("a")), (3, some(" "))]);
        let long = format!("a,\"b\n{}", "c,d\n".repeat(3000));
        assert_eq!(lines(&long).len(), 3001);
    }
}
