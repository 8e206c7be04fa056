//! How good a run is, from its predictions alone: no image, no cache, no network.

use crate::augment::Variant;
use crate::dataset::Split;
use crate::error::{Error, Kind, Result};
use crate::metrics::{self, ClassScore, ClassShare};
use crate::run::{self, ClassCount, Prediction};
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

/// Scores the predictions of a run, variant `none`.
///
/// # Errors
/// [`Kind::Usage`] for the train split, [`Kind::Run`] when the run is missing, damaged, or has no images in the split.
pub fn evaluate(config: &EvaluateConfig) -> Result<EvaluateStats> {
    let started = Instant::now();
    run::check_split(config.split)?;
    let record = run::read_record(&config.run)?;
    let names = record.class_names();
    let index = |name: &str| run::class_index(&config.run, &names, name);
    let (mut truth, mut predicted, mut probabilities) = (Vec::new(), Vec::new(), Vec::new());
    let wanted = |row: &&Prediction| row.split == config.split && row.variant == Variant::None;
    for row in run::read_predictions(&config.run)?.into_iter().filter(|row| wanted(&row)) {
        if row.probabilities.len() != names.len() {
            let message = format!(
                "its predictions have {} classes, its record {}",
                row.probabilities.len(),
                names.len()
            );
            return Err(Error::new(Kind::Run, message).at(&config.run).help("train again"));
        }
        truth.push(index(&row.label)?);
        predicted.push(index(&row.predicted)?);
        probabilities.push(row.probabilities);
    }
    if truth.is_empty() {
        return Err(Error::new(Kind::Run, format!("its {} split has no images", config.split))
            .at(&config.run)
            .help("extract with another --split, then train again"));
    }
    let confusion = metrics::confusion(&truth, &predicted, names.len());
    let classes = metrics::class_scores(&names, &confusion);
    let right = truth.iter().zip(&predicted).filter(|(t, p)| t == p).count();
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
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn majority(classes: &[ClassCount]) -> usize {
    (0..classes.len()).max_by_key(|&i| (classes[i].train, std::cmp::Reverse(i))).unwrap_or(0)
}
