//! Reads the state dicts that PyTorch saves with `torch.save`: zip files since 1.6, before that several pickles in a row.

use super::pickle::{Pickle, Storage, Value, View, read_pickle};
use super::tensors::{Tensors, count, fail, from_le_bytes};
use crate::error::Result;
use crate::io::archive;
use std::collections::HashMap;

/// The first pickle of a legacy file: the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// How a legacy file begins: protocol 2 or later, then that number.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.len() > 14 && bytes[0] == 0x80 && bytes[2..4] == [0x8a, 10] && bytes[4..14] == LEGACY_MAGIC
}

/// Reads a file of `torch.save`, of either format.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged, names anything else than tensors, or is not a dict of
/// tensors.
pub fn read_pytorch(bytes: &[u8]) -> Result<Tensors> {
    if is_legacy(bytes) { read_legacy(bytes) } else { read_zip(bytes) }
}

fn read_zip(bytes: &[u8]) -> Result<Tensors> {
    let members = archive::read_stored_zip(bytes).map_err(fail)?;
    let pickles: Vec<&String> = members.keys().filter(|name| name.ends_with("/data.pkl")).collect();
    let [name] = pickles[..] else {
        return Err(fail(format!("the zip file holds {} pickles of PyTorch, not one", pickles.len())));
    };
    let folder = name.trim_end_matches("data.pkl");
    if members.get(&format!("{folder}byteorder")).is_some_and(|order| *order != b"little") {
        return Err(fail("it was saved on a machine with another order of bytes"));
    }
    let (pickle, root) = read_pickle(&mut &members[name][..])?;
    tensors(&pickle, &root, &|key| members.get(&format!("{folder}data/{key}")).copied())
}

fn read_legacy(bytes: &[u8]) -> Result<Tensors> {
    let mut rest = bytes;
    // The magic number, the protocol's version, and the sizes of C's types, which are the same everywhere.
    for _ in 0..3 {
        read_pickle(&mut rest)?;
    }
    let (pickle, root) = read_pickle(&mut rest)?;
    let (keys, listed) = read_pickle(&mut rest)?;
    let Value::List(listed) = listed else { return Err(fail("it does not list its storages")) };
    let described: HashMap<&str, &Storage> = pickle.storages.iter().map(|s| (&*s.key, s)).collect();
    let mut storages = HashMap::new();
    for key in &keys.lists[listed] {
        let Value::Text(key) = key else { return Err(fail("it lists a storage without a name")) };
        let storage =
            described.get(&**key).ok_or_else(|| fail(format!("no tensor uses the storage {key:?}")))?;
        let (len, following) = rest.split_first_chunk().ok_or_else(|| fail("it ends before its storages"))?;
        let size =
            usize::try_from(u64::from_le_bytes(*len)).ok().and_then(|n| n.checked_mul(size_of(storage)));
        let (data, following) = size
            .and_then(|size| following.split_at_checked(size))
            .ok_or_else(|| fail(format!("it ends inside the storage {key:?}")))?;
        storages.insert(key.to_string(), data);
        rest = following;
    }
    tensors(&pickle, &root, &|key| storages.get(key).copied())
}

/// Size of an element in bytes.
fn size_of(storage: &Storage) -> usize {
    match storage.class {
        "DoubleStorage" | "LongStorage" => 8,
        "FloatStorage" | "IntStorage" => 4,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        _ => 1,
    }
}

/// Finds the tensors of the dict `root`, or of its entry `state_dict`.
fn tensors<'a>(
    pickle: &Pickle,
    root: &Value,
    bytes_of: &dyn Fn(&str) -> Option<&'a [u8]>,
) -> Result<Tensors> {
    let Value::Dict(root) = root else { return Err(fail("it is not a state dict")) };
    let mut dict = &pickle.dicts[*root];
    let inner = dict.iter().find(|(key, _)| matches!(key, Value::Text(key) if &**key == "state_dict"));
    if let Some((_, Value::Dict(inner))) = inner {
        dict = &pickle.dicts[*inner];
    }
    let mut tensors = Tensors::default();
    let mut values = 0usize;
    for (key, value) in dict {
        let Value::Text(name) = key else { return Err(fail("a tensor has no name")) };
        let Value::View(view) = value else { return Err(fail(format!("{name:?} is not a tensor"))) };
        let view = &pickle.views[*view];
        let storage = &pickle.storages[view.storage];
        if storage.class != "FloatStorage" {
            tensors.insert_other(name.to_string(), storage.class);
            continue;
        }
        let bytes =
            bytes_of(&storage.key).ok_or_else(|| fail(format!("the storage of {name:?} is missing")))?;
        // Views of one storage could otherwise fill the memory.
        values = values.saturating_add(count(&view.shape).unwrap_or(usize::MAX));
        if values > MAX_VALUES {
            return Err(fail("its tensors hold more values than any Inception-v3"));
        }
        let taken = gather(bytes, storage.len, view)
            .ok_or_else(|| fail(format!("{name:?} reaches beyond its storage")))?;
        tensors.insert(name.to_string(), view.shape.clone(), taken)?;
    }
    Ok(tensors)
}

/// Most values of all tensors together: twice the published network.
const MAX_VALUES: usize = 60_000_000;

/// The values of a view in row-major order; `None` when it reaches beyond the storage.
fn gather(bytes: &[u8], len: usize, view: &View) -> Option<Vec<f32>> {
    let View { offset, shape, strides, .. } = view;
    let n = count(shape)?;
    if shape.len() != strides.len() || len.checked_mul(4)? > bytes.len() || n > len {
        return None;
    }
    if n == 0 {
        return Some(Vec::new());
    }
    let reach = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |at, (size, stride)| at.checked_add(size.checked_sub(1)?.checked_mul(*stride)?));
    if reach? >= len {
        return None;
    }
    let mut row_major = shape.iter().rev().scan(1, |step, size| Some(std::mem::replace(step, *step * size)));
    if strides
        .iter()
        .rev()
        .zip(shape.iter().rev())
        .all(|(stride, size)| row_major.next() == Some(*stride) || *size == 1)
    {
        return Some(from_le_bytes(&bytes[4 * offset..4 * (offset + n)]));
    }
    let mut index = vec![0; shape.len()];
    let mut values = Vec::with_capacity(n);
    for _ in 0..n {
        let at: usize = offset + index.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
        values.extend(from_le_bytes(&bytes[4 * at..4 * at + 4]));
        for (i, size) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *size {
                break;
            }
            *i = 0;
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_gathered_by_their_strides_and_kept_inside() {
        let bytes: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let view = |offset, shape: &[usize], strides: &[usize]| View {
            storage: 0,
            offset,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
        };
        assert_eq!(gather(&bytes, 6, &view(1, &[2, 2], &[2, 1])), Some(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(gather(&bytes, 6, &view(0, &[3, 2], &[1, 3])), Some(vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        for (view, len) in [
            (view(5, &[2], &[1]), 6),
            (view(0, &[7], &[0]), 6),
            (view(0, &[2], &[usize::MAX]), 6),
            (view(0, &[1], &[1, 1]), 6),
            (view(0, &[2], &[1]), 7),
            (view(usize::MAX, &[1], &[1]), 6),
        ] {
            assert_eq!(gather(&bytes, len, &view), None, "{view:?}");
        }
    }
}
