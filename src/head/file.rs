//! The file of a head, `head.safetensors`: `weight` `[classes, width]` and `bias` `[classes]` in float32. Its metadata hold
//! the class names and the spec of the features.

use super::linear::Head;
use crate::error::{Error, Kind, Result};
use crate::io::safetensors::{Tensor, TensorData, TensorFile, decode_tensors, encode_tensors};
use crate::io::{fs, json};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A head as it is read from its file.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedHead {
    /// The head.
    pub head: Head,
    /// Class names, in the order of the head's classes; names of labels where rows have several.
    pub classes: Vec<String>,
    /// Whether each class has a probability of its own.
    pub is_multi_label: bool,
    /// The spec of the features that the head takes; null if the file names none.
    pub spec: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<String>>,
    /// In place of the classes, so that a reader of these alone refuses the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<String>>,
    spec: serde_json::Value,
}

/// Writes a head with its class names and the spec of its features, atomically.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be written.
pub fn save(path: &Path, head: &Head, classes: &[String], spec: serde_json::Value) -> Result<()> {
    write(path, head, Metadata { classes: Some(classes.to_vec()), labels: None, spec })
}

/// Writes a head whose classes are labels with a probability each, as [`save`] does.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be written.
pub fn save_multi_label(path: &Path, head: &Head, labels: &[String], spec: serde_json::Value) -> Result<()> {
    write(path, head, Metadata { classes: None, labels: Some(labels.to_vec()), spec })
}

fn write(path: &Path, head: &Head, metadata: Metadata) -> Result<()> {
    let (weight, bias) = (head.weight(), head.bias());
    let tensors = [
        Tensor { name: "bias", shape: vec![head.classes()], values: TensorData::Float32(&bias) },
        Tensor {
            name: "weight",
            shape: vec![head.classes(), head.width()],
            values: TensorData::Float32(&weight),
        },
    ];
    let metadata = json::encode(&metadata);
    fs::write_atomic(path, &encode_tensors(&tensors, metadata))
}

/// Reads the file that [`save`] writes.
///
/// # Errors
/// [`Kind::Io`] if the file cannot be read, [`Kind::Run`] if it is damaged or does not hold a head.
pub fn load(path: &Path) -> Result<SavedHead> {
    decode(&fs::read(path)?, path)
}

/// Decodes the bytes of such a file; `path` is for messages.
///
/// # Errors
/// [`Kind::Run`] if they are damaged or are not a head.
pub fn decode(bytes: &[u8], path: &Path) -> Result<SavedHead> {
    let damaged =
        |why: String| Error::new(Kind::Run, "not a head file").at(path).because(why).help("train again");
    let TensorFile { tensors: mut arrays, metadata } = decode_tensors(bytes).map_err(damaged)?;
    let Metadata { classes, labels, spec } =
        json::decode(metadata.as_bytes()).map_err(|e| damaged(e.to_string()))?;
    let is_multi_label = labels.is_some();
    let classes = classes.or(labels).ok_or_else(|| damaged("it names no classes".into()))?;
    let count = classes.len();
    let mut floats = |name: &str, rank: usize| match arrays.remove(name) {
        Some(array) if !array.values.iter().all(|value| value.is_finite()) => {
            Err(damaged(format!("{name} holds numbers that are not finite")))
        }
        Some(array) if array.shape.len() == rank && array.shape[0] == count => Ok(array.values),
        Some(array) => Err(damaged(format!("{name} has the shape {:?} for {count} classes", array.shape))),
        None => Err(damaged(format!("it holds no float32 {name}"))),
    };
    let head = Head::from_parts(floats("weight", 2)?, floats("bias", 1)?)
        .filter(|head| head.classes() == count)
        .ok_or_else(|| damaged("weight, bias and classes do not fit together".into()))?;
    Ok(SavedHead { head, classes, is_multi_label, spec })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_written_and_gives_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let head = Head::fresh(5, 2, 1);
        let classes = ["x".to_string(), "é\"y".to_string()];
        for path in [&a, &b] {
            save(path, &head, &classes, serde_json::json!({"k": 1})).unwrap();
        }
        let spec = serde_json::json!({"k": 1});
        assert_eq!(
            load(&a).unwrap(),
            SavedHead { head, classes: classes.to_vec(), is_multi_label: false, spec }
        );
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head.safetensors");
        save(&path, &Head::fresh(5, 2, 1), &["x".into(), "y".into()], serde_json::json!({})).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 40, whole.len() - 4] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(load(&path).unwrap_err().kind(), Kind::Run, "{cut} bytes");
        }
        save(&path, &Head::fresh(5, 2, 1), &["x".into()], serde_json::json!({})).unwrap();
        assert!(load(&path).unwrap_err().with_causes().contains("weight has the shape [2, 5] for 1 classes"));
    }
}
