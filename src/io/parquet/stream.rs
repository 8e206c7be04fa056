//! Arrow IPC streams: tables that come one after the other through a pipe.

use super::column::{ColumnData, ColumnSpec, NamedColumn};
use super::convert::{from_arrow, record_batch, schema};
use super::{Table, mismatch};
use crate::error::{Error, Kind, Result};
use crate::io::panics::caught;
use arrow_ipc::reader::StreamReader as ArrowStreamReader;
use arrow_ipc::writer::StreamWriter as ArrowStreamWriter;
use arrow_schema::{ArrowError, Schema};
use std::io::{BufRead, Write};
use std::sync::Arc;

/// Reads tables from a stream.
pub(crate) struct StreamReader<R: BufRead> {
    /// `None` where the stream has ended without a schema.
    reader: Option<ArrowStreamReader<R>>,
}

impl<R: BufRead> StreamReader<R> {
    /// Waits for the schema of a stream. One without a byte has no tables.
    ///
    /// # Errors
    /// [`Kind::Input`] when it is no Arrow stream.
    pub fn open(mut input: R) -> Result<Self> {
        let is_empty = input.fill_buf().map_err(|e| damaged().because(e))?.is_empty();
        let open = || caught(|| ArrowStreamReader::try_new(input, None)).ok_or_else(damaged);
        let reader = match is_empty {
            true => None,
            false => Some(open()?.map_err(|e| damaged().because(e))?),
        };
        Ok(Self { reader })
    }

    /// Waits for the next table, and returns `columns` of it, and those of `optional` that it has; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`Kind::Input`] when a column is missing or of another type, or the stream is damaged or cut short.
    pub fn next(&mut self, columns: &[ColumnSpec], optional: &[ColumnSpec]) -> Result<Option<Table>> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let batch = caught(|| reader.next().transpose()).ok_or_else(damaged)?;
        let Some(batch) = batch.map_err(|e| damaged().because(e))? else { return Ok(None) };
        let mut found = Vec::new();
        for (number, &ColumnSpec { name, kind }) in columns.iter().chain(optional).enumerate() {
            let Some(array) = batch.column_by_name(name) else {
                match number < columns.len() {
                    true => return Err(damaged().because(format!("it has no column {name}"))),
                    false => continue,
                }
            };
            let data = from_arrow(array, kind).filter(|data| data.is_of_type(kind));
            let data = data.ok_or_else(|| damaged().because(mismatch(name, kind, array)))?;
            found.push(NamedColumn { name: name.into(), data });
        }
        Ok(Some(Table { columns: found, ..Table::default() }))
    }
}

/// Writes tables with the same columns to a stream.
pub(crate) struct StreamWriter<W: Write> {
    writer: ArrowStreamWriter<W>,
    schema: Arc<Schema>,
}

impl<W: Write> StreamWriter<W> {
    /// Begins a stream of tables with these columns; their rows are not written. The schema is sent at once.
    ///
    /// # Errors
    /// [`Kind::Io`] when the stream cannot be written.
    pub fn open<N: Into<String>>(out: W, columns: impl IntoIterator<Item = (N, ColumnData)>) -> Result<Self> {
        let schema = Arc::new(schema(&Table::new(columns).columns));
        let mut writer = ArrowStreamWriter::try_new(out, &schema).map_err(failed)?;
        writer.flush().map_err(failed)?;
        Ok(Self { writer, schema })
    }

    /// Sends a table at once.
    ///
    /// # Errors
    /// [`Kind::Io`] when the stream cannot be written.
    ///
    /// # Panics
    /// When the columns differ in length, or are not those of the stream.
    pub fn send<N: Into<String>>(
        &mut self,
        columns: impl IntoIterator<Item = (N, ColumnData)>,
    ) -> Result<()> {
        let batch = record_batch(Table::new(columns).columns);
        let batch = batch.with_schema(self.schema.clone()).expect("the columns of the stream");
        self.writer.write(&batch).and_then(|()| self.writer.flush()).map_err(failed)
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`Kind::Io`] when the stream cannot be written.
    pub fn finish(mut self) -> Result<()> {
        self.writer.finish().and_then(|()| self.writer.flush()).map_err(failed)
    }
}

fn damaged() -> Error {
    Error::new(Kind::Input, "not a readable stream of Arrow tables")
        .help("send an Arrow IPC stream with an integer column chunk")
}

fn failed(error: ArrowError) -> Error {
    Error::new(Kind::Io, "could not write the stream of Arrow tables").because(error)
}

#[cfg(test)]
mod tests {
    use super::super::ColumnType;
    use super::*;

    #[test]
    fn tables_arrive_as_they_were_sent() {
        let columns = |numbers: Vec<i64>| {
            let texts = numbers.iter().map(|n| (n % 2 == 0).then(|| n.to_string())).collect();
            [("chunk", ColumnData::Int64(numbers)), ("part", ColumnData::OptionalText(texts))]
        };
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::open(&mut bytes, columns(vec![])).unwrap();
        writer.send(columns(vec![1, 2])).unwrap();
        writer.send(columns(vec![3])).unwrap();
        writer.finish().unwrap();
        let chunk = [ColumnSpec::new("chunk", ColumnType::Integers)];
        let part = [ColumnSpec::new("part", ColumnType::OptionalText)];
        let mut reader = StreamReader::open(&bytes[..]).unwrap();
        let mut next = || reader.next(&chunk, &part).unwrap();
        let mut first = next().unwrap();
        assert_eq!(first.take_integers("chunk"), [1, 2]);
        assert_eq!(first.take_optional_text("part"), [None, Some("2".into())]);
        assert_eq!(next().unwrap().take_integers("chunk"), [3]);
        assert!(next().is_none());
        let other = [ColumnSpec::new("name", ColumnType::Text)];
        let error = StreamReader::open(&bytes[..]).unwrap().next(&other, &[]).err().unwrap();
        assert!(error.with_causes().contains("no column name"), "{error:?}");
    }

    #[test]
    fn nothing_is_an_empty_stream_and_anything_else_is_refused() {
        let chunk = [ColumnSpec::new("chunk", ColumnType::Integers)];
        assert!(StreamReader::open(&b""[..]).unwrap().next(&chunk, &[]).unwrap().is_none());
        assert_eq!(StreamReader::open(&b"chunk\n1\n2\n"[..]).err().unwrap().kind(), Kind::Input);
    }
}
