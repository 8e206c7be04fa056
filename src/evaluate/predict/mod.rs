//! Classifies image files with a run, and names the cached images that are most like them.

mod classifier;
mod config;
mod prediction;
mod predictor;

pub use classifier::Classifier;
pub use config::PredictorConfig;
pub use prediction::{
    ClassProbability, FilePrediction, ImagePrediction, NONE, OpenSetScore, UNKNOWN, UNSURE,
};
pub use predictor::Predictor;

use crate::data::dataset::Refused;
use crate::data::thumbnail;
use crate::error::{Error, Kind, Result};
use crate::evaluate::explain::Explainer;
use crate::monitor::{Monitor, Unit};
use crate::run::{Record, StoredRun};
use std::path::PathBuf;

/// Configuration of [`predict`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PredictConfig {
    /// Image files.
    pub images: Vec<PathBuf>,
    /// The run and how to use it.
    pub predictor: PredictorConfig,
    /// Whether to explain the most probable class of each image.
    pub explain: bool,
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
/// Those of [`Predictor::open`], [`Predictor::open_backbone`] and [`Predictor::predict_files`], and those of [`Explainer::open`]
/// and [`Explainer::explain`] where explanations are wanted.
pub fn predict(config: &PredictConfig, monitor: &dyn Monitor) -> Result<Predictions> {
    if config.explain {
        StoredRun::open_for(&config.predictor.run, "explain")?;
    }
    let mut predictor = Predictor::open(&config.predictor, monitor)?;
    // Before an image is read, so that a missing runtime is said at once.
    predictor.open_backbone()?;
    let open = || Explainer::open(&StoredRun::open(&config.predictor.run)?, &config.predictor, monitor);
    let mut explainer = config.explain.then(open).transpose()?;
    let mut files = predictor.predict_files(&config.images)?;
    if let Some(explainer) = &mut explainer {
        explain(explainer, &config.images, &mut files, monitor)?;
    }
    Ok(Predictions { files, record: predictor.record().clone(), cached_images: predictor.cached_images() })
}

/// Explains the most probable class of each of `files`, which are at `paths`. One that has changed since it was classified goes
/// without, with a warning.
fn explain(
    explainer: &mut Explainer,
    paths: &[PathBuf],
    files: &mut [FilePrediction],
    monitor: &dyn Monitor,
) -> Result<()> {
    let task = monitor.task("explaining", Some(files.len() as u64), Unit::Images);
    for (path, file) in paths.iter().zip(files) {
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted before the last image was explained"));
        }
        if let (Some(digest), Some(first)) = (file.image_sha256, file.prediction.predictions.first()) {
            match thumbnail::read_verified(path, digest, explainer.steps().stretch_16bit) {
                Ok(image) => file.explanation = Some(explainer.explain(&image, &first.label)?),
                Err(reason) => monitor.warn(&format!("{} is not explained: {reason}", file.path)),
            }
        }
        task.advance(1);
    }
    Ok(())
}

/// The files that could not be used, as other stages report them.
pub fn refused(predictions: &[FilePrediction]) -> Vec<Refused> {
    let refusal = |file: &FilePrediction| {
        let reason = file.reason.clone()?;
        Some(Refused { path: file.path.clone(), image_sha256: None, reason })
    };
    predictions.iter().filter_map(refusal).collect()
}
