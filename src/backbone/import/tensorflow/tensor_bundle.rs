//! Checkpoints of TensorFlow's second format: a table as index, and files of raw values.

use super::messages::{BundleEntryProto, BundleHeaderProto, DT_FLOAT};
use super::table::visit_entries;
use crate::backbone::import::tensors::{Tensors, count, fail, from_le_bytes};
use crate::error::Result;
use crate::io::crc32c;
use prost::Message;

/// Most files of values. Published checkpoints have one.
const MAX_SHARDS: i32 = 64;

/// Reads a V2 checkpoint. `shard` returns the bytes of a file of values by its number and the number of files.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged, or holds tensors in several slices, and errors of
/// `shard`.
pub fn read_checkpoint_v2(
    index: &[u8],
    shard: &mut dyn FnMut(usize, usize) -> Result<Vec<u8>>,
) -> Result<Tensors> {
    let mut tensors = Tensors::default();
    let mut shards: Vec<Vec<u8>> = Vec::new();
    visit_entries(index, &mut |key, value| {
        if key.is_empty() {
            let header =
                BundleHeaderProto::decode(value).map_err(|e| fail("the header is damaged").because(e))?;
            shards = read_shards(&header, shard)?;
            return Ok(());
        }
        let name = std::str::from_utf8(key).map_err(|e| fail("a name is not UTF-8").because(e))?;
        let entry = BundleEntryProto::decode(value)
            .map_err(|e| fail(format!("the entry of {name} is damaged")).because(e))?;
        if entry.dtype != DT_FLOAT {
            tensors.insert_other(name.into(), format!("TensorFlow's type {}", entry.dtype));
            return Ok(());
        }
        if !entry.slices.is_empty() {
            return Err(fail(format!("{name} is stored in slices")));
        }
        let data = usize::try_from(entry.shard_id).ok().and_then(|shard| shards.get(shard));
        let data = data.and_then(|data| part(data, &entry));
        let data = data.ok_or_else(|| fail(format!("{name} lies outside the files of values")))?;
        let shape = entry.shape.unwrap_or_default().sizes(name)?;
        if count(&shape).and_then(|n| n.checked_mul(4)) != Some(data.len()) {
            return Err(fail(format!("{name} has the shape {shape:?} but {} bytes", data.len())));
        }
        if crc32c::masked(&[data]) != entry.crc32c {
            return Err(fail(format!("the checksum of {name} is wrong")));
        }
        tensors.insert(name.into(), shape, from_le_bytes(data))
    })?;
    Ok(tensors)
}

fn read_shards(
    header: &BundleHeaderProto,
    shard: &mut dyn FnMut(usize, usize) -> Result<Vec<u8>>,
) -> Result<Vec<Vec<u8>>> {
    if header.endianness != 0 || !(1..=MAX_SHARDS).contains(&header.num_shards) {
        return Err(fail(format!(
            "it has {} files of values in an order of bytes {}",
            header.num_shards, header.endianness
        )));
    }
    let n = header.num_shards as usize;
    (0..n).map(|number| shard(number, n)).collect()
}

fn part<'a>(data: &'a [u8], entry: &BundleEntryProto) -> Option<&'a [u8]> {
    let start = usize::try_from(entry.offset).ok()?;
    data.get(start..start.checked_add(usize::try_from(entry.size).ok()?)?)
}
