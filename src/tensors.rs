//! Named arrays to safetensors bytes and back, the only door to `safetensors`. It refuses to know what the arrays mean.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::HashMap;

/// The values of one array, row after row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// 32-bit floats.
    Float32(&'a [f32]),
    /// 64-bit integers.
    Int64(&'a [i64]),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// One array.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// What it is called.
    pub name: &'static str,
    /// Its dimensions, whose product is the number of values.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Values<'a>,
}

/// The one metadata key: a map of several would be written in random order.
const KEY: &str = "headstart";

/// The safetensors file of `tensors`, with one text under the metadata key `headstart`.
///
/// # Panics
/// When the values of a tensor do not fill its shape.
pub fn encode(tensors: &[Tensor], noted: String) -> Vec<u8> {
    let bytes: Vec<(Dtype, Vec<u8>)> = tensors
        .iter()
        .map(|tensor| match tensor.values {
            Values::Float32(values) => (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Int64(values) => (Dtype::I64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Bytes(values) => (Dtype::U8, values.to_vec()),
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, (dtype, bytes))| {
        let view = TensorView::new(*dtype, tensor.shape.clone(), bytes).expect("values that fill the shape");
        (tensor.name, view)
    });
    serialize(views, Some(HashMap::from([(KEY.to_string(), noted)]))).expect("plain tensors")
}

/// The arrays of float32 in a safetensors file, each with its shape, and the text that was noted (empty for none).
///
/// # Errors
/// Why the bytes are not such a file, in one line.
pub fn decode(bytes: &[u8]) -> Result<(HashMap<String, Floats>, String), String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let noted = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).cloned().unwrap_or_default();
    let mut floats = HashMap::new();
    for (name, view) in tensors.iter().filter(|(_, view)| view.dtype() == Dtype::F32) {
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        floats.insert(name.to_string(), Floats { shape: view.shape().to_vec(), values: values.collect() });
    }
    Ok((floats, noted))
}

/// An array of float32 as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Floats {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values, row after row.
    pub values: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_bytes_are_always_the_same() {
        let tensors = [
            Tensor { name: "x", shape: vec![2, 2], values: Values::Float32(&[1.0, -0.0, 0.5, f32::MIN]) },
            Tensor { name: "y", shape: vec![2], values: Values::Int64(&[7, -1]) },
            Tensor { name: "z", shape: vec![1, 3], values: Values::Bytes(&[1, 2, 255]) },
        ];
        let bytes = encode(&tensors, "noted \"so\"".into());
        assert_eq!(bytes, encode(&tensors, "noted \"so\"".into()));
        let (floats, noted) = decode(&bytes).unwrap();
        assert_eq!((floats["x"].shape.clone(), floats["x"].values.len()), (vec![2, 2], 4));
        assert_eq!((floats.len(), noted.as_str()), (1, "noted \"so\""));
        assert!(decode(&bytes[..20]).is_err());
    }
}
