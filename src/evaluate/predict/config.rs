//! What a caller asks of a predictor.

use crate::backbone::Device;
use crate::backbone::registry::default_models;
use std::path::PathBuf;

/// Configuration of a [`Predictor`](super::Predictor).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PredictorConfig {
    /// The run.
    pub run: PathBuf,
    /// Where the backbone runs.
    pub device: Device,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// The ONNX file of the backbone; `None` looks where it was, near the run and in `models`.
    pub backbone: Option<PathBuf>,
    /// The cache of the run; `None` looks where it was and near the run.
    pub cache: Option<PathBuf>,
    /// Fraction of images of the known classes that may be called unknown, above 0 and below 1; `None` turns open-set
    /// rejection off.
    pub reject: Option<f64>,
    /// Confidence, above 0 and below 1, with which `reject` bounds that fraction; `None` bounds it on average over validation
    /// images.
    pub confidence: Option<f64>,
    /// Number of nearest cached images to find for each image; 0 leaves the cache unread.
    pub neighbours: usize,
}

impl PredictorConfig {
    /// Predicts with `run`, everything else by default.
    pub fn new(run: impl Into<PathBuf>) -> Self {
        Self { run: run.into(), ..Self::default() }
    }
}

impl Default for PredictorConfig {
    fn default() -> Self {
        Self {
            run: PathBuf::new(),
            device: Device::Auto,
            models: default_models(),
            backbone: None,
            cache: None,
            reject: None,
            confidence: None,
            neighbours: 3,
        }
    }
}
