//! Takes the classifier of a run out of the house: backbone, head, temperature and softmax as one ONNX file, on its own or in a
//! model repository for Triton Inference Server. What is written was run before, and answered as the run does.

mod built;
mod config;
mod metadata;
mod onnx;
mod triton;

pub use crate::backbone::graph::ClassifierInput;
pub use config::ExportConfig;

use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use built::BuiltClassifier;
use serde::Serialize;
use std::path::PathBuf;

/// Result of [`export`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExportStats {
    /// The ONNX file.
    pub onnx: Option<PathBuf>,
    /// The folder of the model in the repository of Triton.
    pub triton: Option<PathBuf>,
    /// Size of the ONNX file in bytes.
    pub bytes: usize,
    /// Number of classes.
    pub classes: usize,
    /// What the input takes.
    pub input: ClassifierInput,
    /// The names of the outputs.
    pub outputs: Vec<&'static str>,
    /// Largest difference between a probability of the file and one of the run, over two fixed images.
    pub difference: f64,
}

/// Writes the classifier of a run as `config` says. Before that it is run in ONNX Runtime, on the CPU, and must answer for two
/// fixed images as the run does.
///
/// # Errors
/// [`Kind::Usage`] where nothing is to be written, for a value of `reject` that the run does not allow, and for an input that the
/// preprocessing of the run does not allow; [`Kind::Run`] when the run is missing or damaged; [`Kind::Input`] where another file
/// is in the way; [`Kind::Backbone`] when the classifier answers otherwise than the run; those of opening a backbone.
pub fn export(config: &ExportConfig, monitor: &dyn Monitor) -> Result<ExportStats> {
    if config.onnx.is_none() && config.triton.is_none() {
        return Err(Error::new(Kind::Usage, "nothing is to be written")
            .help("name a file as `onnx`, or a model repository as `triton`"));
    }
    config.onnx.as_deref().map_or(Ok(()), onnx::check)?;
    let repository = config.triton.as_deref().map(|folder| triton::check(folder, &config.run)).transpose()?;
    let built = BuiltClassifier::new(config, monitor)?;
    config.onnx.as_deref().map_or(Ok(()), |path| onnx::write(path, &built))?;
    repository.as_ref().map_or(Ok(()), |model| triton::write(model, &built))?;
    Ok(ExportStats {
        onnx: config.onnx.clone(),
        triton: repository.map(|model| model.folder),
        bytes: built.bytes.len(),
        classes: built.classes.len(),
        input: config.input,
        outputs: built.outputs(),
        difference: built.difference,
    })
}
