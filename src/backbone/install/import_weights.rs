//! Imports a file of weights of any source: published weights, or the package of a known backbone.

use super::known_backbone;
use crate::backbone::import::{ImportConfig, ImportStats, import};
use crate::backbone::registry::registry;
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256_file;
use crate::monitor::Monitor;

/// Builds a backbone from a file that is there already, as [`import`] does; the file of a known backbone such as `nsfwjs` must
/// be its pinned package.
///
/// # Errors
/// Those of [`import`]; [`Kind::Usage`] for another name for a known backbone, [`Kind::Runtime`] when the file is not the pinned
/// one.
pub fn import_weights(config: &ImportConfig, monitor: &dyn Monitor) -> Result<ImportStats> {
    let Ok(known) = registry().backbone(&config.source) else { return import(config, monitor) };
    if config.name.as_ref().is_some_and(|name| *name != known.name) {
        return Err(
            Error::new(Kind::Usage, format!("{} keeps its name", known.name)).help("leave `name` out")
        );
    }
    let onnx = known_backbone::find_or_install(known, &config.models, Some(&config.file), monitor)?;
    Ok(ImportStats {
        name: known.name.clone(),
        title: known.title.clone(),
        onnx: std::path::absolute(&onnx).unwrap_or(onnx),
        sha256: known.onnx_sha256,
        source_sha256: sha256_file(&config.file)?,
    })
}
