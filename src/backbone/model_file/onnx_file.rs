//! Reads an ONNX file with the weights beside it.

use crate::backbone::graph::{ModelSettings, standardize};
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use std::path::{Component, Path};

/// Reads an ONNX file by `settings`, with the weights beside it.
pub(super) fn read_onnx(path: &Path, settings: &ModelSettings) -> Result<Vec<u8>> {
    let bytes = fs::read(path)?;
    let mut read_weights = |name: &str| {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(name).components().all(inside) {
            let message = format!("not a usable ONNX model: its weights are in {name:?}, outside its folder");
            return Err(Error::new(Kind::Backbone, message).help("put them beside the file"));
        }
        fs::read(&path.parent().unwrap_or(Path::new(".")).join(name))
            .map_err(|e| e.help("put the file of weights beside the ONNX file"))
    };
    let standard = standardize(&bytes, settings, &mut read_weights)
        .map_err(|e| if e.path().is_none() { e.at(path) } else { e })?;
    Ok(standard.unwrap_or(bytes))
}
