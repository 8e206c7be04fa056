//! A run to scores, from its own files alone; and what needs more than these: predictions, strangers, search, and what to label
//! next.

mod calibration;
pub mod classify;
pub mod comparison;
mod curves;
mod decision;
pub mod explain;
mod fit_settings;
mod held_out;
pub mod members;
mod multi_label;
mod overall;
pub mod predict;
mod rejection;
pub mod search;
mod strangers;
pub mod suggest;
mod tta;

pub use calibration::{Calibration, SplitCalibration};
pub use curves::{Curves, NamedCurve};
pub use decision::{CostStats, DecisionStats, GoalStats};
pub use multi_label::{LabelScore, MultiLabelStats, evaluate_multi_label};
pub use overall::OverallScores;
pub use rejection::RejectionStats;
pub use strangers::{StrangersConfig, StrangersStats, measure_strangers};
pub use tta::TtaStats;

use crate::data::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::head::argmax;
use crate::metrics::{self, ClassScore, ClassShare, Temperature};
use crate::run::{self, ClassCount, Prediction, RejectionRule, StoredRun};
use decision::RunDecision;
use held_out::{HeldOutPrediction, RunPredictions, SplitPredictions};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

/// Number of images in each of [`EvaluateStats::batch_accuracies`].
pub const BATCH: usize = 32;

/// Settings of [`evaluate`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EvaluateConfig {
    /// Folder of the run. Default: empty.
    pub run: PathBuf,
    /// The split, validation or test. Default: test.
    pub split: Split,
    /// Whether to average the probabilities over all variants of an image that the run has. Default: no.
    pub tta: bool,
    /// Share of known images that may be rejected, between 0 and 1, to measure the rate of rejection. Default: it is not
    /// measured.
    pub reject: Option<f64>,
    /// Confidence, between 0 and 1, with which `reject` bounds that share. Default: it bounds it on average over validation
    /// images.
    pub confidence: Option<f64>,
}

impl EvaluateConfig {
    /// Scores `run` on its test split, everything else by default.
    pub fn new(run: impl Into<PathBuf>) -> Self {
        Self { run: run.into(), ..Self::default() }
    }
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self { run: PathBuf::new(), split: Split::Test, tta: false, reject: None, confidence: None }
    }
}

/// Scores of a run on one split. Fractions are 0 to 1; undefined values are `None`.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluateStats {
    /// The split.
    pub split: Split,
    /// Number of images in the split.
    pub images: usize,
    /// Share of correct predictions.
    pub accuracy: Option<f64>,
    /// The 95 % interval of the accuracy: Wilson's, or by the bootstrap over groups where images are in groups.
    pub interval: Option<[f64; 2]>,
    /// Number of groups and of images on their own, where images are in groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// Scores of each class, in class order.
    pub classes: Vec<ClassScore>,
    /// Counts, `[classes, classes]`: rows are labels, columns predictions, both in class order.
    pub confusion: Vec<Vec<usize>>,
    /// Mean F1 over the classes that occur among labels or predictions.
    pub macro_f1: Option<f64>,
    /// Scores of all classes together that allow for chance, and the interval of macro F1.
    #[serde(flatten)]
    pub overall: OverallScores,
    /// Accuracy of always predicting the most frequent class of the train images.
    pub majority_accuracy: Option<f64>,
    /// The most frequent class of the train images.
    pub majority_class: String,
    /// Share of each class in the labels and in the predictions, in class order.
    pub composition: Vec<ClassShare>,
    /// Top-k accuracy for k from 1 to 5, but below the number of classes: with all of them it is always 1.
    pub top_k: Vec<TopK>,
    /// Accuracy of each batch of [`BATCH`] images, in the order of their digests. The last batch may be smaller.
    pub batch_accuracies: Vec<f64>,
    /// Precision-recall and ROC curves of each class against all others, by the probabilities that `predict` gives.
    pub curves: Curves,
    /// Calibration of the probabilities.
    pub calibration: Calibration,
    /// Scores of the answers that `predict` gives, where the run does not simply answer the most probable class, as all other
    /// scores assume. `None` too where probabilities are averaged over variants, which `predict` does not do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionStats>,
    /// Effect of averaging over variants, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta: Option<TtaStats>,
    /// Rate of rejection, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<RejectionStats>,
    /// Number of images of the split whose features are equal to those of an image in another split; `None` for a run of an
    /// older version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_pictures: Option<usize>,
    /// Whether L-BFGS reached the optimum; `None` for Adam, and for a run of an older version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converged: Option<bool>,
    /// Wall time of the evaluation in seconds.
    pub seconds: f64,
}

/// Share of images whose class is among the k most probable ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TopK {
    /// Number of most probable classes.
    pub k: usize,
    /// The share, 0 to 1.
    pub accuracy: Option<f64>,
}

/// The largest k of [`EvaluateStats::top_k`].
const MAX_K: usize = 5;

/// Scores the predictions of a run, for variant `none` or averaged over variants.
///
/// # Errors
/// [`Kind::Usage`] for the train split, and for a rejection that cannot be measured on this split or with so few images;
/// [`Kind::Run`] when the run is missing or damaged, or has no images in the split, or no variants to average over.
pub fn evaluate(config: &EvaluateConfig) -> Result<EvaluateStats> {
    run::check_split(config.split)?;
    evaluate_run(&StoredRun::open(&config.run)?, config)
}

/// Scores the predictions of an open run as [`evaluate`] does. `config.run` is not opened.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_run(run: &StoredRun, config: &EvaluateConfig) -> Result<EvaluateStats> {
    run::check_split(config.split)?;
    let scores = measure(run, config, &run.predictions()?, rejection_rule(run, config)?)?;
    let same_pictures = run.record().same_pictures.map(|same| match config.split {
        Split::Validation => same.validation,
        _ => same.test,
    });
    Ok(EvaluateStats { same_pictures, ..scores })
}

/// Predictions for images that are not in the cache of a run, in the place of its test images.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct NewPredictions {
    /// Rows of the test split, of variant `none`, one for each image, in the order of their digests.
    pub rows: Vec<Prediction>,
    /// The distance of each image from the classes, in the same order, where `reject` is given.
    pub distances: Vec<f32>,
}

impl NewPredictions {
    /// Takes rows with their distances, in any order.
    pub fn new(mut rows: Vec<(Prediction, Option<f32>)>) -> Self {
        rows.sort_by_key(|(row, _)| row.image_sha256);
        let distances = rows.iter().filter_map(|(_, distance)| *distance).collect();
        Self { rows: rows.into_iter().map(|(row, _)| row).collect(), distances }
    }
}

/// Scores a run by `new` predictions as [`evaluate_run`] does by those for its own test images. `config.run` is not opened.
///
/// # Errors
/// Those of [`evaluate_run`].
pub fn evaluate_new(run: &StoredRun, config: &EvaluateConfig, new: &NewPredictions) -> Result<EvaluateStats> {
    let rule = rejection_rule(run, config)?;
    let rule = rule.map(|rule| RejectionRule { test_distances: new.distances.clone(), ..rule });
    // The validation images stay: the temperature was fitted to them.
    let own = run.predictions()?.into_iter().filter(|row| row.split == Split::Validation);
    measure(run, config, &own.chain(new.rows.iter().cloned()).collect::<Vec<_>>(), rule)
}

/// Scores the `rows` of the split.
fn measure(
    run: &StoredRun,
    config: &EvaluateConfig,
    rows: &[Prediction],
    rule: Option<RejectionRule>,
) -> Result<EvaluateStats> {
    let started = Instant::now();
    let (record, names) = (run.record(), run.record().class_names());
    let predictions = RunPredictions { run: run.path(), rows, classes: &names, average: config.tta };
    let held_out = predictions.of_split(config.split)?;
    check_images(config, &held_out)?;
    let validation = predictions.of_split(Split::Validation)?.images;
    let temperature = if config.tta { calibration::fit_to_averaged(&validation) } else { record.temperature };
    let images = &held_out.images;
    let truth: Vec<usize> = images.iter().map(|image| image.truth).collect();
    let predicted: Vec<usize> = images.iter().map(|image| predicted_class(image, config.tta)).collect();
    let correct: Vec<bool> = truth.iter().zip(&predicted).map(|(t, p)| t == p).collect();
    let (interval, groups) = share_interval(&correct, &groups_of(images));
    let confusion = metrics::confusion(&truth, &predicted, names.len());
    let classes = metrics::class_scores(&names, &confusion);
    let majority = majority_class(&record.classes);
    let probabilities = curves::at_temperature(images, Temperature::effective(temperature));
    let decision = if config.tta { None } else { RunDecision::of(run, &names)? };
    Ok(EvaluateStats {
        split: config.split,
        images: truth.len(),
        accuracy: metrics::accuracy(&truth, &predicted),
        interval,
        groups,
        macro_f1: metrics::macro_f1(&classes),
        overall: OverallScores::measure(images, &predicted, &confusion, &record.classes),
        majority_accuracy: metrics::constant_accuracy(&truth, majority),
        majority_class: names[majority].clone(),
        composition: metrics::composition(&classes),
        top_k: top_k(images, &truth, names.len()),
        batch_accuracies: metrics::batch_accuracies(&truth, &predicted, BATCH),
        classes,
        confusion,
        curves: Curves::measure(&truth, &probabilities, &names),
        calibration: Calibration::measure(temperature, images, &validation),
        decision: decision.map(|rule| rule.measure(&truth, &predicted, &probabilities)),
        tta: config.tta.then(|| TtaStats::compare(&held_out, &predicted)),
        reject: rule.map(|rule| RejectionStats::measure(run.path(), &rule, &correct)).transpose()?,
        same_pictures: None,
        converged: record.convergence.map(|convergence| convergence.is_optimum()),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The group of each image.
fn groups_of(images: &[HeldOutPrediction]) -> Vec<Option<&str>> {
    images.iter().map(|image| image.group.as_deref()).collect()
}

/// The interval of the share of images that are `correct`, and the number of groups where there are any: images of a group are
/// then no independent ones.
fn share_interval(correct: &[bool], groups: &[Option<&str>]) -> (Option<[f64; 2]>, Option<usize>) {
    match metrics::grouped_interval(correct, groups) {
        Some(interval) => (Some(interval), Some(number_of_groups(groups))),
        None => {
            let number_correct = correct.iter().filter(|correct| **correct).count();
            (metrics::wilson_interval(number_correct, correct.len()), None)
        }
    }
}

/// Number of groups, where an image without one is one of its own.
fn number_of_groups(groups: &[Option<&str>]) -> usize {
    let alone = groups.iter().filter(|group| group.is_none()).count();
    alone + groups.iter().flatten().collect::<HashSet<_>>().len()
}

/// The class index predicted for an image: from its averaged probabilities, or as recorded for variant `none`.
fn predicted_class(image: &HeldOutPrediction, averaged: bool) -> usize {
    if averaged { argmax(&image.probabilities) } else { image.predicted }
}

fn top_k(images: &[HeldOutPrediction], truth: &[usize], classes: usize) -> Vec<TopK> {
    let probabilities = || images.iter().map(|image| &image.probabilities);
    let accuracy = |k: usize| metrics::top_k_accuracy(truth, probabilities(), k);
    (1..=MAX_K.min(classes.saturating_sub(1)).max(1)).map(|k| TopK { k, accuracy: accuracy(k) }).collect()
}

/// Reads the calibrated rejection, where its rate is to be measured.
fn rejection_rule(run: &StoredRun, config: &EvaluateConfig) -> Result<Option<RejectionRule>> {
    match config.reject {
        Some(_) if config.split != Split::Test => Err(Error::new(
            Kind::Usage,
            "`reject` cannot be measured on the validation split: its images set the threshold",
        )
        .help("use `split` test")),
        reject => run.rejection(reject, config.confidence),
    }
}

/// Checks that there are images to score, and variants to average over where that was asked for.
fn check_images(config: &EvaluateConfig, held_out: &SplitPredictions) -> Result<()> {
    let refuse = |message: String, help: &str| {
        Err(Error::new(Kind::Run, message).at(&config.run).help(format!("{help}, then train again")))
    };
    let split = config.split;
    if held_out.images.is_empty() {
        return refuse(format!("its {split} split has no images"), "`extract` with another `split`");
    }
    if config.tta && held_out.variants.len() < 2 {
        return refuse(
            format!("its {split} predictions hold no variants to average over"),
            "`extract` with `augment` flip or shift:N, and `augment_splits` all",
        );
    }
    Ok(())
}

/// Index of the class with the most train images; of equals the first.
fn majority_class(classes: &[ClassCount]) -> usize {
    (0..classes.len()).max_by_key(|&i| (classes[i].train, std::cmp::Reverse(i))).unwrap_or(0)
}
