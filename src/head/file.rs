//! `head.safetensors`: `weight` `[classes, width]` and `bias` `[classes]`, float32, with the classes and the spec of
//! the features in the metadata.

use super::Head;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::tensors::{Tensor, TensorData, decode_tensors, encode_tensors};
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Serialize, Deserialize)]
struct Noted {
    classes: Vec<String>,
    spec: serde_json::Value,
}

/// Writes a head with its class names and the spec of its features, atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn save(path: &Path, head: &Head, classes: &[String], spec: serde_json::Value) -> Result<()> {
    let (weight, bias) = (head.weight(), head.bias());
    let tensors = [
        Tensor { name: "bias", shape: vec![head.classes()], values: TensorData::Float32(&bias) },
        Tensor {
            name: "weight",
            shape: vec![head.classes(), head.width()],
            values: TensorData::Float32(&weight),
        },
    ];
    let noted = Noted { classes: classes.to_vec(), spec };
    let noted = serde_json::to_string(&noted).expect("plain data");
    fs::write_atomic(path, &encode_tensors(&tensors, noted))
}

/// Reads a head, its class names and the spec of its features.
///
/// # Errors
/// [`Kind::Run`] when the file is damaged or does not hold a head.
pub fn load(path: &Path) -> Result<(Head, Vec<String>, serde_json::Value)> {
    let damaged = |why: String| {
        Error::new(Kind::Run, "not a head of this tool").at(path).because(why).help("train again")
    };
    let mut file = decode_tensors(&fs::read(path)?).map_err(damaged)?;
    let noted: Noted = serde_json::from_str(&file.metadata).map_err(|e| damaged(e.to_string()))?;
    let classes = noted.classes.len();
    let mut floats = |name: &str, rank: usize| match file.tensors.remove(name) {
        Some(array) if array.shape.len() == rank && array.shape[0] == classes => Ok(array.values),
        Some(array) => Err(damaged(format!("{name} has the shape {:?} for {classes} classes", array.shape))),
        None => Err(damaged(format!("it holds no float32 {name}"))),
    };
    let head = Head::from_parts(floats("weight", 2)?, floats("bias", 1)?)
        .filter(|head| head.classes() == classes)
        .ok_or_else(|| damaged("weight, bias and classes do not fit together".into()))?;
    Ok((head, noted.classes, noted.spec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_the_disk_and_gives_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let head = Head::fresh(5, 2, 1);
        let classes = ["x".to_string(), "é\"y".to_string()];
        for path in [&a, &b] {
            save(path, &head, &classes, serde_json::json!({"k": 1})).unwrap();
        }
        let (read, names, spec) = load(&a).unwrap();
        assert_eq!((read, names, spec["k"].as_i64()), (head, classes.to_vec(), Some(1)));
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    }

    #[test]
    fn a_damaged_file_is_refused() {
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
