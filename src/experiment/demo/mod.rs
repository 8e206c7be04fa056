//! The demo: extract, train, evaluate and predict on a built-in sample of images, with a linear model on raw pixels as
//! the baseline.

mod sample;

use crate::backbone::BackboneChoice;
use crate::backbone::registry::{DEFAULT_BACKBONE, default_models};
use crate::cache::{FeatureCache, Samples};
use crate::data::dataset::Split;
use crate::data::decode;
use crate::data::preprocess::{Normalization, Preprocessing};
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::{FilePrediction, PredictConfig, PredictorConfig, predict};
use crate::evaluate::{EvaluateConfig, EvaluateStats, evaluate};
use crate::extract::{ExtractConfig, ExtractStats, extract};
use crate::head::{self, Example, FitConfig, FitJob, LabelledFeatures, SolverConfig};
use crate::io::fs;
use crate::math::matrix::Matrix;
use crate::math::parallel;
use crate::metrics;
use crate::monitor::{Monitor, Unit};
use crate::train::{TrainConfig, TrainStats, train};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Configuration of [`demo`].
///
/// | field | default | |
/// |---|---|---|
/// | `dir` | `headstart-demo` | folder for the images, the cache and the run |
/// | `models` | `models` | folder of built backbones |
/// | `time` | 0 | unknown |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DemoConfig {
    /// Folder for the images, the cache and the run.
    pub dir: PathBuf,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// Time of the demo, in seconds since 1970, or 0 if unknown; recorded in the cache and the run.
    pub time: u64,
}

impl DemoConfig {
    /// Runs the demo in `dir`, everything else by default.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), models: default_models(), time: 0 }
    }
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self::new("headstart-demo")
    }
}

/// Results of [`demo`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DemoStats {
    /// The folder of images.
    pub images: PathBuf,
    /// The cache.
    pub cache: PathBuf,
    /// The run.
    pub run: PathBuf,
    /// Results of `extract`.
    pub extract: ExtractStats,
    /// Results of `train`.
    pub train: TrainStats,
    /// Results of `evaluate` on the test split.
    pub evaluate: EvaluateStats,
    /// Test accuracy of the baseline, 0 to 1: the same kind of head, trained on raw pixels of images scaled to 32 x 32.
    pub pixel_accuracy: f64,
    /// The predictions for one test image.
    pub predict: Vec<FilePrediction>,
}

/// Runs the demo in `config.dir`. A second call there uses the cached features.
///
/// # Errors
/// [`Kind::Input`] when the folder holds files that are not the demo's, and errors of the stages.
pub fn demo(config: &DemoConfig, monitor: &dyn Monitor) -> Result<DemoStats> {
    let [images, cache, run] = ["images", "cache", "run"].map(|name| config.dir.join(name));
    let extract_config = extract_config(config, &images, &cache);
    check_folder(&config.dir)?;
    // Before the images are drawn, which takes longer.
    extract_config.backbone.resolve()?.install_missing(extract_config.device, monitor)?;
    draw_images(&images, monitor)?;
    let extracted = extract(&extract_config, monitor)?;
    let fit = FitConfig::default();
    let train_config = TrainConfig {
        cache: cache.clone(),
        run: run.clone(),
        solver: SolverConfig::Adam(fit.clone()),
        time: config.time,
        ..TrainConfig::default()
    };
    let trained = train(&train_config, monitor)?;
    let evaluated = evaluate(&EvaluateConfig { run: run.clone(), ..EvaluateConfig::default() })?;
    let samples = FeatureCache::open(&cache)?.samples()?;
    let pixel_accuracy = pixel_baseline(&samples, fit)?;
    let image =
        samples.rows.iter().find(|row| row.split == Split::Test).map(|row| images.join(&row.file.path));
    let predict_config = PredictConfig {
        images: image.into_iter().collect(),
        predictor: PredictorConfig {
            run: run.clone(),
            models: config.models.clone(),
            neighbours: 0,
            ..PredictorConfig::default()
        },
        explain: false,
    };
    let answers = predict(&predict_config, monitor)?.files;
    Ok(DemoStats {
        images,
        cache,
        run,
        extract: extracted,
        train: trained,
        evaluate: evaluated,
        pixel_accuracy,
        predict: answers,
    })
}

fn extract_config(config: &DemoConfig, images: &Path, cache: &Path) -> ExtractConfig {
    ExtractConfig {
        images: images.to_path_buf(),
        cache: cache.to_path_buf(),
        backbone: BackboneChoice { models: config.models.clone(), ..BackboneChoice::new(DEFAULT_BACKBONE) },
        time: config.time,
        ..ExtractConfig::default()
    }
}

/// Checks that `dir` holds nothing that is not the demo's.
fn check_folder(dir: &Path) -> Result<()> {
    let own_names = ["images", "cache", "run"];
    if let Some(obstacle) = fs::obstacle(dir) {
        return Err(obstacle);
    }
    if dir.exists() && fs::list(dir)?.iter().any(|entry| !own_names.contains(&entry.name.as_str())) {
        return Err(Error::new(Kind::Input, "the folder holds other things, so the demo leaves it alone")
            .at(dir)
            .help("choose a new folder as `dir`"));
    }
    Ok(())
}

/// Draws the images that are not there yet.
///
/// # Errors
/// [`Kind::Interrupted`] when the monitor asks to stop; what was drawn is kept.
fn draw_images(images: &Path, monitor: &dyn Monitor) -> Result<()> {
    let total = sample::CLASSES.len() * sample::PER_CLASS;
    let task = monitor.task("drawing images", Some(total as u64), Unit::Images);
    for (class, name) in sample::CLASSES.iter().enumerate() {
        let folder = images.join(name);
        fs::create_folder(&folder)?;
        for number in 0..sample::PER_CLASS {
            if monitor.is_interrupted() {
                return Err(Error::new(Kind::Interrupted, "interrupted while the images were drawn")
                    .help("the next demo there goes on"));
            }
            let path = folder.join(format!("{number:03}.png"));
            if !path.exists() {
                fs::write_atomic(&path, &decode::encode_png(&sample::draw(class, number)))?;
            }
            task.advance(1);
        }
    }
    Ok(())
}

/// Returns the test accuracy of the baseline, 0 to 1: a softmax head fitted to pixels instead of features, on the same
/// split.
fn pixel_baseline(samples: &Samples, fit: FitConfig) -> Result<f64> {
    let small = Preprocessing::whole(32, Normalization::Symmetric);
    let classes = crate::data::dataset::class_names(&samples.rows);
    let mut features = Matrix::zeros(samples.rows.len(), small.input_len());
    let mut parts = Split::ALL.map(|_| Vec::new());
    for (number, row) in samples.rows.iter().enumerate() {
        let path = samples.root.join(&row.file.path);
        let image =
            decode::decode(&fs::read(&path)?).map_err(|reason| Error::new(Kind::Input, reason).at(&path))?;
        features.row_mut(number).copy_from_slice(&small.tensor(&image));
        let target = classes.binary_search(&row.file.label).expect("classes come from the samples");
        parts[row.split as usize].push(Example { row: number as u32, target: target as u32 });
    }
    let [train, validation, test] =
        parts.each_ref().map(|examples| LabelledFeatures { features: &features, examples });
    // The 3,072 inputs are strongly correlated, so they need a smaller learning rate than features.
    let params = FitConfig { lr: 0.001, ..fit }.check()?;
    let job = FitJob { start: None, params, class_weights: vec![1.0; classes.len()] };
    let fitted = head::fit(job, train, Some(validation), parallel::thread_count(0), &mut |_, _| {})?;
    let predicted: Vec<usize> = fitted.head.probabilities_of(test).predicted().collect();
    let truth: Vec<usize> = test.targets().collect();
    Ok(metrics::accuracy(&truth, &predicted).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::{Silent, Task};

    /// Asks to stop at once.
    struct Stopping;

    impl Monitor for Stopping {
        fn note(&self, _: &str) {}
        fn warn(&self, _: &str) {}
        fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Box<dyn Task + '_> {
            Silent.task(label, total, unit)
        }
        fn consent(&self, _: &str) -> Option<bool> {
            None
        }
        fn is_interrupted(&self) -> bool {
            true
        }
    }

    #[test]
    fn drawing_stops_between_images() {
        let dir = tempfile::tempdir().unwrap();
        let error = draw_images(dir.path(), &Stopping).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        let drawn = fs::list(&dir.path().join(sample::CLASSES[0])).unwrap();
        assert!(drawn.is_empty(), "{drawn:?}");
    }
}
