//! Checkpoints of TensorFlow's first format: one table of `SavedTensorSlices`.

use super::messages::{DT_FLOAT, SavedTensorSlices, TensorProto};
use super::table::visit_entries;
use crate::backbone::import::tensors::{Tensors, fail, from_le_bytes};
use crate::error::Result;
use prost::Message;
use std::collections::BTreeMap;

/// Reads a V1 checkpoint.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged, or holds tensors in several slices.
pub fn read_checkpoint_v1(bytes: &[u8]) -> Result<Tensors> {
    let mut tensors = Tensors::default();
    let mut listed: Option<BTreeMap<String, Vec<usize>>> = None;
    visit_entries(bytes, &mut |key, value| {
        let entry = SavedTensorSlices::decode(value).map_err(|e| fail("an entry is damaged").because(e))?;
        if key.is_empty() {
            listed = Some(list(entry, &mut tensors)?);
            return Ok(());
        }
        let Some(slice) = entry.data else { return Err(fail("an entry holds no tensor")) };
        let listed = listed.as_mut().ok_or_else(|| fail("it is not a checkpoint: it lists no tensors"))?;
        if let Some(shape) = listed.remove(&slice.name) {
            let data = slice.data.ok_or_else(|| fail(format!("{} has no values", slice.name)))?;
            tensors.insert(slice.name, shape, floats(data))?;
        } else if !tensors.contains(&slice.name) {
            return Err(fail(format!("{} is not in its list of tensors", slice.name)));
        }
        Ok(())
    })?;
    match listed.as_ref().and_then(BTreeMap::first_key_value) {
        Some((name, _)) => Err(fail(format!("{name} is in its list but has no values"))),
        None => Ok(tensors),
    }
}

/// The names and shapes of the float tensors; the others are noted in `tensors`.
fn list(entry: SavedTensorSlices, tensors: &mut Tensors) -> Result<BTreeMap<String, Vec<usize>>> {
    let meta = entry.meta.ok_or_else(|| fail("it is not a checkpoint: it lists no tensors"))?;
    let mut listed = BTreeMap::new();
    for tensor in meta.tensor {
        if tensor.dtype != DT_FLOAT {
            tensors.insert_other(tensor.name, format!("TensorFlow's type {}", tensor.dtype));
            continue;
        }
        if tensor.slice.len() != 1 {
            return Err(fail(format!("{} is stored in {} slices, not one", tensor.name, tensor.slice.len())));
        }
        let shape = tensor.shape.unwrap_or_default().sizes(&tensor.name)?;
        listed.insert(tensor.name, shape);
    }
    Ok(listed)
}

fn floats(data: TensorProto) -> Vec<f32> {
    if data.floats.is_empty() { from_le_bytes(&data.content) } else { data.floats }
}
