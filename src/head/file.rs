//! `head.safetensors`: `weight` `[classes, width]` and `bias` `[classes]`, float32, with the classes and the spec of
//! the features in the metadata. The only door to `safetensors`.

use super::Head;
use crate::error::{Error, Kind, Result};
use crate::fs;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// The one metadata key: a map of several would be written in random order.
const KEY: &str = "headstart";

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
    let bytes = |values: Vec<f32>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (weight, bias) = (bytes(head.weight()), bytes(head.bias()));
    let shape = vec![head.classes(), head.width()];
    let tensor = |shape, data| TensorView::new(Dtype::F32, shape, data).expect("lengths that fit");
    let tensors = [("bias", tensor(vec![head.classes()], &bias)), ("weight", tensor(shape, &weight))];
    let noted = Noted { classes: classes.to_vec(), spec };
    let noted = serde_json::to_string(&noted).expect("plain data");
    let file =
        serialize(tensors, Some(HashMap::from([(KEY.to_string(), noted)]))).expect("two plain tensors");
    fs::write_atomic(path, &file)
}

/// Reads a head, its class names and the spec of its features.
///
/// # Errors
/// [`Kind::Run`] when the file is damaged or does not hold a head.
pub fn load(path: &Path) -> Result<(Head, Vec<String>, serde_json::Value)> {
    let bytes = fs::read(path)?;
    let damaged = |why: String| Error::new(Kind::Run, "not a head of this tool").at(path).because(why);
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let noted = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
    let noted: Noted =
        serde_json::from_str(noted.map_or("", String::as_str)).map_err(|e| damaged(e.to_string()))?;
    let classes = noted.classes.len();
    let floats = |name: &str, rank: usize| {
        let view = tensors.tensor(name).map_err(|e| damaged(e.to_string()))?;
        if view.dtype() != Dtype::F32 || view.shape().len() != rank || view.shape()[0] != classes {
            return Err(damaged(format!("{name} is {:?} {:?}", view.dtype(), view.shape())));
        }
        Ok(view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect::<Vec<_>>())
    };
    let head = Head::from_parts(floats("weight", 2)?, floats("bias", 1)?)
        .filter(|head| head.classes() == noted.classes.len())
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
        assert!(load(&path).unwrap_err().with_causes().contains("weight is F32 [2, 5]"));
    }
}
