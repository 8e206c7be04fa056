//! How good a run is, from its predictions alone (and its distances, for `unknown`): no image, no cache, no network.

mod rows;
mod trust;

pub use trust::{Averaged, Calibrated, Calibration, Rejected};

use crate::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::head::argmax;
use crate::metrics::{self, ClassScore, ClassShare};
use crate::run::{self, ClassCount, Reject};
use rows::HeldOut;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Rows in a batch of the accuracies that are told batch by batch.
pub const BATCH: usize = 32;

/// What `evaluate` was asked for.
#[derive(Debug, Clone)]
pub struct EvaluateConfig {
    /// The run.
    pub run: PathBuf,
    /// Validation or test.
    pub split: Split,
    /// Whether each image's answer is the mean of the probabilities of all its variants that the run has.
    pub tta: bool,
    /// The share of known images that may be called unknown, where that is to be measured.
    pub reject: Option<f64>,
}

/// How good the run is on one split. Fractions are 0 to 1; what is undefined is `None`.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluateStats {
    /// The split.
    pub split: Split,
    /// Images in it.
    pub images: usize,
    /// Share of right answers.
    pub accuracy: Option<f64>,
    /// Its 95 % Wilson interval.
    pub interval: Option<[f64; 2]>,
    /// Scores of each class, in class order.
    pub classes: Vec<ClassScore>,
    /// Counts: rows are truth, columns predictions, both in class order.
    pub confusion: Vec<Vec<usize>>,
    /// Mean F1 over the classes that occur.
    pub macro_f1: Option<f64>,
    /// Accuracy of always answering the most frequent class of the train images.
    pub majority_accuracy: Option<f64>,
    /// That class.
    pub majority_class: String,
    /// Each class's share of the images beside its share of the predictions, in class order.
    pub composition: Vec<ClassShare>,
    /// How often the truth is among the k most probable classes, for k from 1 to 5, or to all classes where they are
    /// fewer.
    pub top_k: Vec<TopK>,
    /// Accuracy of each 32 images, in the order of their digests; the last batch may be smaller.
    pub batch_accuracies: Vec<f64>,
    /// How far the probabilities can be taken at their word.
    pub calibration: Calibration,
    /// What averaging over variants did, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta: Option<Averaged>,
    /// How often known images are called unknown, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<Rejected>,
    /// Wall time of the evaluation.
    pub seconds: f64,
}

/// How often the truth is among the most probable classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TopK {
    /// How many classes may be named.
    pub k: usize,
    /// Share of images with the truth among them.
    pub accuracy: Option<f64>,
}

/// The largest k of [`EvaluateStats::top_k`].
const MOST_K: usize = 5;

/// Scores the predictions of a run: variant `none`, or the mean over variants.
///
/// # Errors
/// [`Kind::Usage`] for the train split, and for a rejection that cannot be measured on this split or on so few images;
/// [`Kind::Run`] when the run is missing, damaged, or has no images in the split, or no variants to average over.
pub fn evaluate(config: &EvaluateConfig) -> Result<EvaluateStats> {
    let started = Instant::now();
    run::check_split(config.split)?;
    let record = run::read_record(&config.run)?;
    let reject = reject(config)?;
    let names = record.class_names();
    let predictions = run::read_predictions(&config.run)?;
    let of_split = |split| rows::of_split(&config.run, &predictions, (split, config.tta), &names);
    let held_out = of_split(config.split)?;
    check_there_is_enough(config, &held_out)?;
    let images = &held_out.images;
    let truth: Vec<usize> = images.iter().map(|image| image.truth).collect();
    let probabilities: Vec<Vec<f32>> = images.iter().map(|image| image.probabilities.clone()).collect();
    let predicted: Vec<usize> = match config.tta {
        true => probabilities.iter().map(|row| argmax(row)).collect(),
        false => images.iter().map(|image| image.predicted).collect(),
    };
    let validation = of_split(Split::Validation)?.images;
    let temperature = if config.tta { trust::temperature_of(&validation) } else { record.temperature };
    let is_right = truth.iter().zip(&predicted).map(|(t, p)| t == p);
    let confusion = metrics::confusion(&truth, &predicted, names.len());
    let classes = metrics::class_scores(&names, &confusion);
    let right = is_right.clone().filter(|right| *right).count();
    let majority = majority(&record.classes);
    Ok(EvaluateStats {
        split: config.split,
        images: truth.len(),
        accuracy: metrics::accuracy(&truth, &predicted),
        interval: metrics::wilson(right, truth.len()),
        macro_f1: metrics::macro_f1(&classes),
        majority_accuracy: metrics::constant_accuracy(&truth, majority),
        majority_class: names[majority].clone(),
        composition: metrics::composition(&classes),
        top_k: (1..=MOST_K.min(names.len()))
            .map(|k| TopK { k, accuracy: metrics::top_k_accuracy(&truth, &probabilities, k) })
            .collect(),
        batch_accuracies: metrics::batch_accuracies(&truth, &predicted, BATCH),
        classes,
        confusion,
        calibration: trust::calibration(temperature, images, &validation),
        tta: config.tta.then(|| trust::averaged(&held_out, &predicted)),
        reject: reject
            .map(|(alpha, reject)| trust::rejected(&config.run, alpha, &reject, is_right))
            .transpose()?,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The calibrated answer `unknown`, where it was asked for.
fn reject(config: &EvaluateConfig) -> Result<Option<(f64, Reject)>> {
    match config.reject {
        None => Ok(None),
        Some(_) if config.split != Split::Test => Err(Error::new(
            Kind::Usage,
            "--reject cannot be measured on the validation split: its images set the threshold",
        )
        .help("use --split test")),
        Some(alpha) => Ok(Some((alpha, Reject::read(&config.run, alpha)?))),
    }
}

fn check_there_is_enough(config: &EvaluateConfig, held_out: &HeldOut) -> Result<()> {
    let refuse = |message: String, help: &str| {
        Err(Error::new(Kind::Run, message).at(&config.run).help(format!("{help}, then train again")))
    };
    let split = config.split;
    if held_out.images.is_empty() {
        return refuse(format!("its {split} split has no images"), "extract with another --split");
    }
    if config.tta && held_out.variants.len() < 2 {
        return refuse(
            format!("its {split} predictions hold no variants to average over"),
            "extract with --augment flip or --augment shift:N, and --augment-splits all",
        );
    }
    Ok(())
}

fn majority(classes: &[ClassCount]) -> usize {
    (0..classes.len()).max_by_key(|&i| (classes[i].train, std::cmp::Reverse(i))).unwrap_or(0)
}
