//! Classifies image files with a run, and names the cached images that are most like them.

mod classifier;
mod config;
mod prediction;
mod predictor;

pub use classifier::Classifier;
pub use config::PredictorConfig;
pub use prediction::{ClassProbability, FilePrediction, ImagePrediction, OpenSetScore, UNKNOWN};
pub use predictor::Predictor;

use crate::data::dataset::Refused;
use crate::error::Result;
use crate::monitor::Monitor;
use crate::run::Record;
use std::path::PathBuf;

/// Configuration of [`predict`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PredictConfig {
    /// Image files.
    pub images: Vec<PathBuf>,
    /// The run and how to use it.
    pub predictor: PredictorConfig,
}

/// Result of [`predict`].
#[derive(Debug, Clone)]
pub struct Predictions {
    /// One prediction per file, in the order given. A file that cannot be used has a reason instead.
    pub files: Vec<FilePrediction>,
    /// The record of the run that predicted.
    pub record: Record,
    /// The folder of cached images; `None` if the cache was not read.
    pub cached_images: Option<PathBuf>,
}

/// Classifies image files. If the cache of the run cannot be read, a warning says so and the predictions have no
/// neighbours.
///
/// # Errors
/// Those of [`Predictor::open`], [`Predictor::open_backbone`] and [`Predictor::predict_files`].
pub fn predict(config: &PredictConfig, monitor: &dyn Monitor) -> Result<Predictions> {
    let mut predictor = Predictor::open(&config.predictor, monitor)?;
    // Before an image is read, so that a missing runtime is said at once.
    predictor.open_backbone()?;
    let files = predictor.predict_files(&config.images)?;
    Ok(Predictions { files, record: predictor.record().clone(), cached_images: predictor.cached_images() })
}

/// The files that could not be used, as other stages report them.
pub fn refused(predictions: &[FilePrediction]) -> Vec<Refused> {
    let refusal = |file: &FilePrediction| {
        let reason = file.reason.clone()?;
        Some(Refused { path: file.path.clone(), image_sha256: None, reason })
    };
    predictions.iter().filter_map(refusal).collect()
}
