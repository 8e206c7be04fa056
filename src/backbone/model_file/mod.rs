//! Reads the ONNX file of a network: a file with its weights inside or beside it, or a folder that says how pixels enter it.

mod folder;
mod hugging_face;
mod onnx_file;

use super::graph::ModelSettings;
use crate::error::{Error, Result};
use crate::io::fs;
use onnx_file::read_onnx;
use std::path::Path;

/// Reads a network in the form that this program runs. A file of that form is returned as it is.
///
/// A folder holds `model.onnx`, and `headstart.toml` or Hugging Face's `preprocessor_config.json`.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when a file cannot be read, [`Kind::Backbone`](crate::error::Kind::Backbone) when it is not a usable network, [`Kind::Usage`](crate::error::Kind::Usage) for settings
/// that cannot be used.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return folder::read(path);
    }
    read_onnx(path, &ModelSettings::default())
}

/// Returns the size of a network on disk, weights beside it included, in bytes.
pub(super) fn size(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut bytes = 0;
    for entry in fs::list(path)? {
        match std::fs::metadata(&entry.path) {
            Ok(metadata) if metadata.is_dir() => bytes += size(&entry.path)?,
            Ok(metadata) => bytes += metadata.len(),
            Err(e) => return Err(Error::io("read", &entry.path, e)),
        }
    }
    Ok(bytes)
}
