//! Open-set rejection on strangers: images that are known to be of none of the classes.

use super::predict::{Predictor, PredictorConfig, refused};
use crate::data::dataset::Refused;
use crate::data::scan::files_of;
use crate::error::{Error, Kind, Result};
use crate::metrics::{self, RocArea};
use crate::monitor::Monitor;
use crate::run::StoredRun;
use serde::Serialize;
use std::path::PathBuf;

/// Settings of [`measure_strangers`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StrangersConfig {
    /// Images of none of the classes: a folder, at any depth, an archive, or a manifest.
    pub strangers: PathBuf,
    /// The run and how to use it; `reject` must be set.
    pub predictor: PredictorConfig,
}

impl StrangersConfig {
    /// Measures `predictor` on the images in `strangers`.
    pub fn new(strangers: impl Into<PathBuf>, predictor: PredictorConfig) -> Self {
        Self { strangers: strangers.into(), predictor }
    }
}

/// How well strangers are told from test images.
#[derive(Debug, Clone, Serialize)]
pub struct StrangersStats {
    /// Number of strangers.
    pub images: usize,
    /// Number of test images, all of known classes.
    pub known_images: usize,
    /// How well the distance from the classes separates both, whatever the threshold; `None` without test images.
    pub roc: Option<RocArea>,
    /// Number of rejected strangers.
    pub unknown: usize,
    /// Share of rejected strangers.
    pub rate: f64,
    /// The 95 % Wilson interval of the rate.
    pub interval: Option<[f64; 2]>,
    /// Files that cannot be used.
    pub refused: Vec<Refused>,
}

/// Embeds the images of a folder with the backbone of a run, and compares their distances from the classes with those of its
/// test images.
///
/// # Errors
/// Those of [`Predictor::open`], [`Predictor::open_backbone`] and [`Predictor::predict_files`]; [`Kind::Input`] when the images
/// cannot be listed, or there is no image that can be used; [`Kind::Usage`] without `reject`.
pub fn measure_strangers(config: &StrangersConfig, monitor: &dyn Monitor) -> Result<StrangersStats> {
    let PredictorConfig { run, reject, confidence, .. } = &config.predictor;
    let Some(rule) = StoredRun::open(run)?.rejection(*reject, *confidence)? else {
        return Err(Error::new(Kind::Usage, "`strangers` needs `reject`").help("try `reject` 0.05"));
    };
    let listed =
        files_of(&config.strangers).map_err(|e| e.help("give a folder of images of none of the classes"))?;
    let mut predictor = Predictor::open(&config.predictor, monitor)?;
    predictor.open_backbone()?;
    let predictions = predictor.predict_files(&listed.files)?;
    let usable = predictions.iter().filter(|file| file.reason.is_none());
    let distances: Vec<f32> =
        usable.filter_map(|file| Some(file.prediction.open_set.as_ref()?.score)).collect();
    if distances.is_empty() {
        return Err(Error::new(Kind::Input, "no image in it can be used")
            .at(&config.strangers)
            .help("give a folder of images of none of the classes"));
    }
    let unknown = distances.iter().filter(|distance| rule.rejects(**distance)).count();
    Ok(StrangersStats {
        images: distances.len(),
        known_images: rule.test_distances.len(),
        roc: metrics::roc_area(&rule.test_distances, &distances),
        unknown,
        rate: unknown as f64 / distances.len() as f64,
        interval: metrics::wilson_interval(unknown, distances.len()),
        refused: [refused(&predictions), listed.refused].concat(),
    })
}
