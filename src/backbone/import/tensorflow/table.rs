//! Reads the sorted string tables of LevelDB, in which TensorFlow keeps checkpoints and their indexes
//! (`leveldb/doc/table_format.md`). The only user of `snap`.

use crate::backbone::import::tensors::fail;
use crate::error::{Error, Result};
use crate::io::crc32c;

/// The last bytes of a table.
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57u64.to_le_bytes();
/// Bytes of the footer: two block handles, filled up, and the magic number.
const FOOTER: usize = 48;
/// Bytes after each block: how it is compressed, and its checksum.
const TRAILER: usize = 5;
/// Most bytes that one byte of snappy can stand for: a copy of 64 bytes takes 3.
const SNAPPY_RATIO: usize = 22;

/// Takes the key and the value of an entry.
type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Whether a file is a table.
pub(in crate::backbone::import) fn is_table(bytes: &[u8]) -> bool {
    bytes.len() >= FOOTER && bytes.ends_with(&MAGIC)
}

/// Calls `visit` with the key and the value of each entry, in order.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when the table is damaged, and errors of `visit`.
pub(super) fn visit_entries(bytes: &[u8], visit: &mut Visit) -> Result<()> {
    if !is_table(bytes) {
        return Err(fail("it does not end as a checkpoint does"));
    }
    let mut footer = &bytes[bytes.len() - FOOTER..];
    block_handle(&mut footer)?;
    let index = block(bytes, block_handle(&mut footer)?)?;
    entries(&index, &mut |_, mut handle| {
        let block = block(bytes, block_handle(&mut handle)?)?;
        entries(&block, visit)
    })
}

/// Offset and size of a block.
fn block_handle(input: &mut &[u8]) -> Result<[u64; 2]> {
    Ok([varint(input)?, varint(input)?])
}

/// Checks and unpacks a block.
fn block(bytes: &[u8], [offset, size]: [u64; 2]) -> Result<std::borrow::Cow<'_, [u8]>> {
    let range = || {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        Some((bytes.get(start..end)?, bytes.get(end..end.checked_add(TRAILER)?)?))
    };
    let (content, trailer) = range().ok_or_else(|| fail("a block lies outside the file"))?;
    let stored = u32::from_le_bytes([trailer[1], trailer[2], trailer[3], trailer[4]]);
    if crc32c::masked(&[content, &trailer[..1]]) != stored {
        return Err(fail("the checksum of a block is wrong"));
    }
    match trailer[0] {
        0 => Ok(content.into()),
        1 => {
            let unpacked = snap::raw::decompress_len(content).unwrap_or(usize::MAX);
            if unpacked > content.len().saturating_mul(SNAPPY_RATIO) {
                return Err(fail("a compressed block claims an impossible size"));
            }
            let unpacked = snap::raw::Decoder::new().decompress_vec(content);
            Ok(unpacked.map_err(|e| fail("a compressed block is damaged").because(e))?.into())
        }
        other => Err(fail(format!("a block is compressed in an unknown way ({other})"))),
    }
}

/// Calls `visit` with the entries of a block. Keys share their start with the key before.
fn entries(block: &[u8], visit: &mut Visit) -> Result<()> {
    let (rest, restarts) = block.split_last_chunk::<4>().ok_or_else(cut)?;
    let restarts = (u32::from_le_bytes(*restarts) as usize).checked_mul(4);
    let end = restarts.and_then(|size| rest.len().checked_sub(size)).ok_or_else(cut)?;
    let mut input = &rest[..end];
    let mut key = Vec::new();
    while !input.is_empty() {
        let [shared, own, value] = [varint(&mut input)?, varint(&mut input)?, varint(&mut input)?];
        let size = |n: u64| usize::try_from(n).map_err(|_| cut());
        let (shared, own, value) = (size(shared)?, size(own)?, size(value)?);
        let (own, following) = input.split_at_checked(own).ok_or_else(cut)?;
        let (value, following) = following.split_at_checked(value).ok_or_else(cut)?;
        if shared > key.len() {
            return Err(cut());
        }
        key.truncate(shared);
        key.extend_from_slice(own);
        visit(&key, value)?;
        input = following;
    }
    Ok(())
}

fn cut() -> Error {
    fail("a block ends too early")
}

/// Reads a number of 7 bits a byte, the lowest first.
fn varint(input: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first().ok_or_else(cut)?;
        *input = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(fail("a number of the table is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of one block.
    fn table(content: &[u8], kind: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut add = |content: &[u8], kind: u8| {
            let handle = [bytes.len() as u8, content.len() as u8];
            bytes.extend_from_slice(content);
            bytes.push(kind);
            bytes.extend(crc32c::masked(&[content, &[kind]]).to_le_bytes());
            handle
        };
        let data = add(content, kind);
        let index = add(&[&[0, 1, 2, b'z'][..], &data, &[0; 4], &[1, 0, 0, 0]].concat(), 0);
        let mut footer = [0, 0, index[0], index[1]].to_vec();
        footer.resize(FOOTER - MAGIC.len(), 0);
        [bytes, footer, MAGIC.to_vec()].concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut found = Vec::new();
        visit_entries(bytes, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(found)
    }

    const CONTENT: &[u8] = b"\x00\x02\x01abA\x01\x01\x02cBB\x00\x00\x00\x00\x01\x00\x00\x00";

    #[test]
    fn entries_share_keys_and_blocks_may_be_compressed() {
        let expected = [(b"ab".to_vec(), b"A".to_vec()), (b"ac".to_vec(), b"BB".to_vec())];
        assert_eq!(read(&table(CONTENT, 0)).unwrap(), expected);
        let packed = snap::raw::Encoder::new().compress_vec(CONTENT).unwrap();
        assert_eq!(read(&table(&packed, 1)).unwrap(), expected);
    }

    #[test]
    fn whatever_is_damaged_is_refused() {
        let whole = table(CONTENT, 0);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        for (content, kind, why) in [
            (&b"\xff\xff\xff\xff\x0f"[..], 1, "impossible size"),
            (CONTENT, 7, "unknown way"),
            (b"\x05\x01\x00a\x00\x00\x00\x00", 0, "too early"),
            (b"\x00\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00a\x00\x00\x00\x00", 0, "too early"),
            (b"\xff\xff\xff\xff", 0, "too early"),
        ] {
            let error = read(&table(content, kind)).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let mut flipped = whole.clone();
        flipped[3] ^= 1;
        assert!(read(&flipped).unwrap_err().to_string().contains("checksum"));
    }
}
