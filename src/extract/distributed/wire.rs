//! What goes through the pipes of a worker: requests for chunks, and receipts, as Arrow IPC streams.

use crate::cache::plan::Receipt;
use crate::error::{Error, Kind, Result};
use crate::io::parquet::{ColumnData, ColumnSpec, ColumnType, StreamReader, StreamWriter};
use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::ops::Range;

/// A chunk to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Its number.
    pub chunk: u32,
    /// Only these images of it are computed, and nothing is written: to find those that end the process.
    pub probe: Option<Range<usize>>,
    /// Images that ended the process, by their place in the chunk. They are refused.
    pub without: Vec<usize>,
}

/// A receipt as it is sent: the numbers, without the names of refused images.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SentReceipt {
    pub chunk: u32,
    pub part: Option<String>,
    pub sha256: Option<String>,
    pub rows: i64,
    /// Number of refused images and rows.
    pub refused: i64,
    pub provider: String,
    pub known_answer: Option<String>,
    pub seconds: f32,
}

/// Reads requests.
pub(super) struct Requests<R: BufRead> {
    stream: StreamReader<R>,
    waiting: VecDeque<Request>,
}

/// Sends requests.
pub(super) struct RequestSender<W: Write>(StreamWriter<W>);

/// Reads receipts.
pub(super) struct Receipts<R: BufRead>(StreamReader<R>);

/// Sends receipts.
pub(super) struct ReceiptSender<W: Write>(StreamWriter<W>);

const CHUNK: ColumnSpec = ColumnSpec::new("chunk", ColumnType::Integers);
const FROM: ColumnSpec = ColumnSpec::new("from", ColumnType::Integers);
const TO: ColumnSpec = ColumnSpec::new("to", ColumnType::Integers);
const WITHOUT: ColumnSpec = ColumnSpec::new("without", ColumnType::Text);

impl Request {
    /// The whole chunk.
    pub fn whole(chunk: u32) -> Self {
        Self { chunk, probe: None, without: Vec::new() }
    }

    fn columns(requests: &[Self]) -> [(&'static str, ColumnData); 4] {
        let long = |get: fn(&Self) -> i64| ColumnData::Int64(requests.iter().map(get).collect());
        let without =
            |request: &Self| request.without.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        [
            (CHUNK.name, long(|request| request.chunk.into())),
            (FROM.name, long(|request| request.probe.as_ref().map_or(-1, |range| range.start as i64))),
            (TO.name, long(|request| request.probe.as_ref().map_or(-1, |range| range.end as i64))),
            (WITHOUT.name, ColumnData::Text(requests.iter().map(without).collect())),
        ]
    }
}

impl<R: BufRead> Requests<R> {
    /// Waits for the beginning of the stream.
    pub fn open(input: R) -> Result<Self> {
        Ok(Self { stream: StreamReader::open(input)?, waiting: VecDeque::new() })
    }

    /// Waits for the next request; `None` at the end. Of the columns only `chunk` is needed.
    pub fn next(&mut self) -> Result<Option<Request>> {
        while self.waiting.is_empty() {
            let Some(mut table) = self.stream.next(&[CHUNK], &[FROM, TO, WITHOUT])? else { return Ok(None) };
            let [chunks, from, to] = [CHUNK, FROM, TO].map(|column| table.take_integers(column.name));
            let without = table.take_text(WITHOUT.name);
            for (i, chunk) in chunks.into_iter().enumerate() {
                let chunk = u32::try_from(chunk).map_err(|_| {
                    Error::new(Kind::Input, format!("{chunk} is not the number of a chunk"))
                        .help("number chunks from 0, as in the plan")
                })?;
                let range = from.get(i).zip(to.get(i)).filter(|(from, _)| **from >= 0);
                let probe = range.map(|(from, to)| *from as usize..*to as usize);
                let without = without.get(i).map_or("", String::as_str);
                let without = without.split(',').filter_map(|place| place.parse().ok()).collect();
                self.waiting.push_back(Request { chunk, probe, without });
            }
        }
        Ok(self.waiting.pop_front())
    }
}

impl<W: Write> RequestSender<W> {
    pub fn open(out: W) -> Result<Self> {
        StreamWriter::open(out, Request::columns(&[])).map(Self)
    }

    pub fn send(&mut self, request: &Request) -> Result<()> {
        self.0.send(Request::columns(std::slice::from_ref(request)))
    }
}

impl SentReceipt {
    fn columns(receipts: &[Self]) -> [(&'static str, ColumnData); 8] {
        let long = |get: fn(&Self) -> i64| ColumnData::Int64(receipts.iter().map(get).collect());
        let text =
            |get: fn(&Self) -> Option<String>| ColumnData::OptionalText(receipts.iter().map(get).collect());
        [
            ("chunk", long(|receipt| receipt.chunk.into())),
            ("part", text(|receipt| receipt.part.clone())),
            ("sha256", text(|receipt| receipt.sha256.clone())),
            ("rows", long(|receipt| receipt.rows)),
            ("refused", long(|receipt| receipt.refused)),
            ("provider", text(|receipt| Some(receipt.provider.clone()))),
            ("known_answer", text(|receipt| receipt.known_answer.clone())),
            ("seconds", ColumnData::Float32(receipts.iter().map(|receipt| receipt.seconds).collect())),
        ]
    }
}

impl From<&Receipt> for SentReceipt {
    fn from(receipt: &Receipt) -> Self {
        Self {
            chunk: receipt.chunk,
            part: receipt.part.clone(),
            sha256: receipt.sha256.map(|digest| digest.to_string()),
            rows: receipt.rows as i64,
            refused: (receipt.refused.len() + receipt.refused_rows.len()) as i64,
            provider: receipt.made_by("headstart.provider").into(),
            known_answer: receipt.known_answer.map(|digest| digest.to_string()),
            seconds: receipt.seconds as f32,
        }
    }
}

impl<W: Write> ReceiptSender<W> {
    pub fn open(out: W) -> Result<Self> {
        StreamWriter::open(out, SentReceipt::columns(&[])).map(Self)
    }

    pub fn send(&mut self, receipt: &SentReceipt) -> Result<()> {
        self.0.send(SentReceipt::columns(std::slice::from_ref(receipt)))
    }

    pub fn finish(self) -> Result<()> {
        self.0.finish()
    }
}

impl<R: BufRead> Receipts<R> {
    /// Waits for the beginning of the stream.
    pub fn open(input: R) -> Result<Self> {
        StreamReader::open(input).map(Self)
    }

    /// Waits for the next receipt; `None` at the end.
    pub fn next(&mut self) -> Result<Option<SentReceipt>> {
        let integers = ["chunk", "rows", "refused"];
        let texts = ["part", "sha256", "provider", "known_answer"];
        let columns: Vec<ColumnSpec> = integers
            .map(|name| ColumnSpec::new(name, ColumnType::Integers))
            .into_iter()
            .chain(texts.map(|name| ColumnSpec::new(name, ColumnType::OptionalText)))
            .chain([ColumnSpec::new("seconds", ColumnType::Floats)])
            .collect();
        let Some(mut table) = self.0.next(&columns, &[])? else { return Ok(None) };
        let [chunk, rows, refused] = integers.map(|name| table.take_integers(name).first().copied());
        let [part, sha256, provider, known_answer] =
            texts.map(|name| table.take_optional_text(name).into_iter().next().flatten());
        let seconds = table.take_floats("seconds").first().copied();
        let receipt = chunk.zip(rows).zip(refused).zip(seconds);
        Ok(receipt.map(|(((chunk, rows), refused), seconds)| SentReceipt {
            chunk: chunk as u32,
            part,
            sha256,
            rows,
            refused,
            provider: provider.unwrap_or_default(),
            known_answer,
            seconds,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_receipts_arrive_as_they_were_sent() {
        let probe = Request { chunk: 3, probe: Some(0..5), without: Vec::new() };
        let without = Request { chunk: 7, probe: None, without: vec![2, 11] };
        let mut bytes = Vec::new();
        let mut sender = RequestSender::open(&mut bytes).unwrap();
        [&Request::whole(0), &probe, &without].iter().for_each(|request| sender.send(request).unwrap());
        drop(sender);
        let mut requests = Requests::open(&bytes[..]).unwrap();
        let mut next = || requests.next().unwrap();
        assert_eq!([next(), next(), next()], [Some(Request::whole(0)), Some(probe), Some(without)]);
        let receipt = SentReceipt {
            chunk: 7,
            part: Some("part".into()),
            sha256: None,
            rows: 5,
            refused: 2,
            provider: "P".into(),
            known_answer: Some("bits".into()),
            seconds: 1.5,
        };
        let mut bytes = Vec::new();
        let mut sender = ReceiptSender::open(&mut bytes).unwrap();
        sender.send(&receipt).unwrap();
        sender.finish().unwrap();
        let mut receipts = Receipts::open(&bytes[..]).unwrap();
        assert_eq!(receipts.next().unwrap(), Some(receipt));
        assert_eq!(receipts.next().unwrap(), None);
    }
}
