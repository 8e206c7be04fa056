//! Encodes named arrays as safetensors bytes, and decodes them. The only user of the `safetensors` crate.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorView, serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The values of one array in row-major order.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TensorData<'a> {
    /// 32-bit floats.
    Float32(&'a [f32]),
    /// 64-bit integers.
    Int64(&'a [i64]),
    /// Unsigned bytes.
    Bytes(&'a [u8]),
}

/// A named array to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// Name in the file.
    pub name: &'static str,
    /// Dimensions, whose product is the number of values.
    pub shape: Vec<usize>,
    /// The values.
    pub values: TensorData<'a>,
}

/// An array of 32-bit floats that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatTensor {
    /// Dimensions, whose product is the number of values.
    pub shape: Vec<usize>,
    /// The values in row-major order.
    pub values: Vec<f32>,
}

/// The content of a safetensors file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    /// The float32 arrays by name. Arrays of other types are left out.
    pub tensors: HashMap<String, FloatTensor>,
    /// The text under the metadata key `headstart`, empty when there is none.
    pub metadata: String,
}

/// The only metadata key. The format stores a map whose order is random, so several keys would make the bytes vary.
const KEY: &str = "headstart";

/// Encodes `tensors` as a safetensors file with `metadata` under the key `headstart`. Equal input gives equal bytes.
///
/// # Panics
/// When the number of values of a tensor is not the product of its shape.
pub fn encode_tensors(tensors: &[Tensor], metadata: String) -> Vec<u8> {
    let bytes: Vec<(Dtype, Vec<u8>)> = tensors
        .iter()
        .map(|tensor| match tensor.values {
            TensorData::Float32(values) => {
                (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            TensorData::Int64(values) => (Dtype::I64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            TensorData::Bytes(values) => (Dtype::U8, values.to_vec()),
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, (dtype, bytes))| {
        let view = TensorView::new(*dtype, tensor.shape.clone(), bytes).expect("values that fill the shape");
        (tensor.name, view)
    });
    serialize(views, Some(HashMap::from([(KEY.to_string(), metadata)]))).expect("plain tensors")
}

/// Decodes the float32 arrays and the metadata of a safetensors file.
///
/// # Errors
/// The reason, in one line, why `bytes` are not a safetensors file.
pub fn decode_tensors(bytes: &[u8]) -> Result<TensorFile, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let metadata = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).cloned().unwrap_or_default();
    let mut tensors = HashMap::new();
    for (name, view) in file.iter().filter(|(_, view)| view.dtype() == Dtype::F32) {
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        tensors
            .insert(name.to_string(), FloatTensor { shape: view.shape().to_vec(), values: values.collect() });
    }
    Ok(TensorFile { tensors, metadata })
}

/// An array with its name; one of another type than float32 as the name of that type.
pub type NamedArray = (String, Result<FloatTensor, String>);

/// Decodes all arrays of a safetensors file from elsewhere.
///
/// # Errors
/// The reason, in one line, why `bytes` are not a safetensors file.
pub fn decode_arrays(bytes: &[u8]) -> Result<Vec<NamedArray>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let array = |view: &TensorView| match view.dtype() {
        Dtype::F32 => {
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Ok(FloatTensor { shape: view.shape().to_vec(), values: values.collect() })
        }
        other => Err(format!("{other:?}")),
    };
    Ok(file.iter().map(|(name, view)| (name.to_string(), array(&view))).collect())
}

/// The names of the tensors in the file at `path`, if it is a safetensors file with metadata under the key `headstart`. Only
/// the header is read.
pub fn own_tensor_names(path: &Path) -> Option<Vec<String>> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; LENGTH];
    file.read_exact(&mut length).ok()?;
    // The limit of the format (`safetensors` 0.8, `MAX_HEADER_SIZE`).
    let length = Some(u64::from_le_bytes(length)).filter(|length| *length <= 100_000_000)?;
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    let header: Metadata = serde_json::from_slice(&header).ok()?;
    header.metadata().as_ref().filter(|map| map.contains_key(KEY))?;
    Some(header.tensors().into_keys().collect())
}

/// Bytes of the length of the header, with which a file begins.
const LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_survive_a_round_trip_and_the_bytes_are_reproducible() {
        let tensors = [
            Tensor { name: "x", shape: vec![2, 2], values: TensorData::Float32(&[1.0, -0.0, 0.5, f32::MIN]) },
            Tensor { name: "y", shape: vec![2], values: TensorData::Int64(&[7, -1]) },
            Tensor { name: "z", shape: vec![1, 3], values: TensorData::Bytes(&[1, 2, 255]) },
        ];
        let bytes = encode_tensors(&tensors, "noted \"so\"".into());
        assert_eq!(bytes, encode_tensors(&tensors, "noted \"so\"".into()));
        let file = decode_tensors(&bytes).unwrap();
        assert_eq!((file.tensors["x"].shape.clone(), file.tensors["x"].values.len()), (vec![2, 2], 4));
        assert_eq!((file.tensors.len(), file.metadata.as_str()), (1, "noted \"so\""));
        assert!(decode_tensors(&bytes[..20]).is_err());
    }

    #[test]
    fn own_files_are_recognised_by_their_header() {
        let dir = tempfile::tempdir().unwrap();
        let [own, other, cut] = ["own", "other", "cut"].map(|name| dir.path().join(name));
        let tensors = [Tensor { name: "x", shape: vec![1], values: TensorData::Float32(&[1.0]) }];
        let bytes = encode_tensors(&tensors, "m".into());
        std::fs::write(&own, &bytes).unwrap();
        std::fs::write(&cut, &bytes[..12]).unwrap();
        let view = TensorView::new(Dtype::U8, vec![1], &[0]).unwrap();
        std::fs::write(&other, serialize([("x", view)], None).unwrap()).unwrap();
        assert_eq!(own_tensor_names(&own), Some(vec!["x".to_string()]));
        assert_eq!([other, cut].map(|path| own_tensor_names(&path)), [None, None]);
    }
}
