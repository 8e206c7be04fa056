//! Reads the float32 arrays of a safetensors file, as timm publishes its weights.

use super::tensors::{Tensors, fail};
use crate::error::Result;
use crate::io::safetensors::decode_arrays;

/// Reads a safetensors file.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged.
pub fn read_safetensors(bytes: &[u8]) -> Result<Tensors> {
    let arrays = decode_arrays(bytes).map_err(|why| fail("the safetensors file is damaged").because(why))?;
    let mut tensors = Tensors::default();
    for (name, array) in arrays {
        match array {
            Ok(array) => tensors.insert(name, array.shape, array.values)?,
            Err(kind) => tensors.insert_other(name, kind),
        }
    }
    Ok(tensors)
}
