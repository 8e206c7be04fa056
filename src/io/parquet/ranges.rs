//! Reads columns of a Parquet file that is far away, by the ranges of bytes that they need.

use super::{ColumnSpec, Table, damaged, read, readable};
use crate::error::Result;
use bytes::{Buf, Bytes, buf::Reader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use std::ops::Range;
use std::path::Path;

/// Bytes at the end of a file that are asked for first. The footer of a part takes less.
const END: u64 = 16 << 10;
/// Ranges that are as near to one another as this are asked for as one.
const GAP: u64 = 64 << 10;

impl Table {
    /// Reads `columns` of a Parquet file of `length` bytes, of which `fetch` returns ranges: its end, and what the columns need.
    /// `path` is for messages.
    ///
    /// # Errors
    /// As [`Table::decode`], and those of `fetch`.
    pub(crate) fn read_ranges(
        length: u64,
        columns: &[ColumnSpec],
        path: &Path,
        fetch: impl Fn(Range<u64>) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let (metadata, end) = footer(length, path, &fetch)?;
        let start = length - end.len() as u64;
        let mut pieces = vec![Piece { start, bytes: end }];
        for range in needed(&metadata, columns, path)? {
            // What is in the end is there.
            let range = range.start..range.end.min(start);
            if !range.is_empty() {
                pieces.push(Piece { start: range.start, bytes: fetch(range)?.into() });
            }
        }
        pieces.sort_by_key(|piece| piece.start);
        read(Pieces { length, pieces }.joined(), columns, path, |_, _| false)
    }
}

/// The footer of a file, and the bytes at its end.
fn footer(
    length: u64,
    path: &Path,
    fetch: impl Fn(Range<u64>) -> Result<Vec<u8>>,
) -> Result<(ParquetMetaData, Bytes)> {
    let mut wanted = END.min(length);
    loop {
        let end = Bytes::from(fetch(length - wanted..length)?);
        let mut reader = ParquetMetaDataReader::new();
        let more = readable(path, || match reader.try_parse_sized(&end, length) {
            Ok(()) => Ok(None),
            Err(ParquetError::NeedMoreData(more)) => Ok(Some(more as u64)),
            Err(e) => Err(e),
        })?;
        match more.filter(|more| (wanted + 1..=length).contains(more)) {
            Some(more) => wanted = more,
            None => return Ok((readable(path, || reader.finish())?, end)),
        }
    }
}

/// The ranges that hold `columns`, in order.
fn needed(metadata: &ParquetMetaData, columns: &[ColumnSpec], path: &Path) -> Result<Vec<Range<u64>>> {
    let is_wanted = |name: &str| columns.iter().any(|column| column.name == name);
    let of_columns = || {
        let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
        let chunks =
            chunks.filter(|chunk| chunk.column_path().parts().first().is_some_and(|name| is_wanted(name)));
        Ok::<_, ParquetError>(chunks.map(|chunk| chunk.byte_range()).collect::<Vec<_>>())
    };
    // It panics where the footer makes no sense.
    let mut found = readable(path, of_columns)?;
    found.sort_unstable();
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (start, bytes) in found {
        let end =
            start.checked_add(bytes).ok_or_else(|| damaged(path, "its structure makes no sense".into()))?;
        match ranges.last_mut().filter(|last| start <= last.end.saturating_add(GAP)) {
            Some(last) => last.end = last.end.max(end),
            None => ranges.push(start..end),
        }
    }
    Ok(ranges)
}

/// Bytes from `start` on.
struct Piece {
    start: u64,
    bytes: Bytes,
}

/// A file of which some pieces are there, in order.
struct Pieces {
    length: u64,
    pieces: Vec<Piece>,
}

impl Pieces {
    /// Makes pieces that touch one: a column may go on in the end of the file.
    fn joined(self) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in self.pieces {
            match pieces.last_mut().filter(|last| last.start + last.bytes.len() as u64 == piece.start) {
                Some(last) => last.bytes = [&last.bytes[..], &piece.bytes].concat().into(),
                None => pieces.push(piece),
            }
        }
        Self { pieces, ..self }
    }

    /// What is there from `start` on.
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let found = self.pieces.iter().rev().find(|piece| piece.start <= start);
        let rest = found.and_then(|piece| {
            let skipped = usize::try_from(start - piece.start).ok()?;
            (skipped <= piece.bytes.len()).then(|| piece.bytes.slice(skipped..))
        });
        rest.ok_or_else(missing)
    }
}

fn missing() -> ParquetError {
    ParquetError::EOF("its footer leads to other bytes than those of the columns".into())
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pieces {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        self.from(start).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.from(start)?;
        if rest.len() < length { Err(missing()) } else { Ok(rest.slice(..length)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ColumnData, ColumnType, Vectors};
    use super::*;
    use crate::error::{Error, Kind};
    use std::sync::Mutex;

    const COLUMNS: [ColumnSpec<'static>; 2] =
        [ColumnSpec::new("name", ColumnType::Text), ColumnSpec::new("variant", ColumnType::Text)];

    fn file(rows: usize, width: usize) -> Vec<u8> {
        let values = (0..rows * width).map(|i| (i as f32).sin()).collect();
        let text = |i: usize| format!("{:064x}", (i as u128).pow(8) % 1_000_003);
        Table::new([
            ("name", ColumnData::Text((0..rows).map(text).collect())),
            ("variant", ColumnData::Text((0..rows).map(|i| (i % 3).to_string()).collect())),
            ("embedding", ColumnData::Vectors(Vectors { width, values })),
        ])
        .with_metadata([("k", "v".to_string())])
        .encode()
    }

    #[test]
    fn columns_are_read_without_the_bytes_of_others() {
        for (rows, width, most) in [(0, 4, 1), (3, 4, 1), (100, 1000, 2), (20_000, 100, 4)] {
            let bytes = file(rows, width);
            let asked = Mutex::new(Vec::new());
            let fetch = |range: Range<u64>| {
                asked.lock().unwrap().push(range.clone());
                Ok(bytes[range.start as usize..range.end as usize].to_vec())
            };
            let read = Table::read_ranges(bytes.len() as u64, &COLUMNS, Path::new("t"), fetch).unwrap();
            assert_eq!(read, Table::decode(bytes.clone(), &COLUMNS, Path::new("t")).unwrap());
            assert_eq!(read.metadata["k"], "v");
            let asked = asked.into_inner().unwrap();
            assert!(asked.len() <= most, "{asked:?} of {}", bytes.len());
            let sum: u64 = asked.iter().map(|range| range.end - range.start).sum();
            assert!(sum <= END + (rows * 80) as u64, "{asked:?} of {}", bytes.len());
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_a_failed_request_too() {
        let bytes = file(100, 1000);
        let read = |bytes: Vec<u8>| {
            let fetch = |range: Range<u64>| Ok(bytes[range.start as usize..range.end as usize].to_vec());
            Table::read_ranges(bytes.len() as u64, &COLUMNS, Path::new("some/part"), fetch)
        };
        let end = bytes.len();
        let mut long_footer = bytes.clone();
        long_footer[end - 8..end - 4].copy_from_slice(&u32::MAX.to_le_bytes());
        for bytes in [bytes[..end - 9].to_vec(), b"PAR1".to_vec(), Vec::new(), long_footer] {
            let error = read(bytes).unwrap_err();
            assert!(error.with_causes().starts_with("some/part: not a readable Parquet file: "), "{error}");
        }
        let fail = |_: Range<u64>| Err(Error::new(Kind::Io, "no answer"));
        let error = Table::read_ranges(end as u64, &COLUMNS, Path::new("t"), fail).unwrap_err();
        assert_eq!(error.kind(), Kind::Io);
    }

    #[test]
    fn a_footer_that_is_longer_than_expected_is_asked_for_again() {
        let rows = 3;
        let names = (0..rows).map(|i| i.to_string()).collect();
        let metadata = [("k", "v".repeat(40_000))];
        let bytes = Table::new([("name", ColumnData::Text(names))]).with_metadata(metadata).encode();
        let fetch = |range: Range<u64>| Ok(bytes[range.start as usize..range.end as usize].to_vec());
        let read = Table::read_ranges(bytes.len() as u64, &COLUMNS[..1], Path::new("t"), fetch).unwrap();
        assert_eq!(read.metadata["k"].len(), 40_000);
        assert_eq!(read, Table::decode(bytes.clone(), &COLUMNS[..1], Path::new("t")).unwrap());
    }
}
