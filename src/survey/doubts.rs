//! Labels that may be wrong: every image is answered by a head that was fitted without it.

use crate::augment::Variant;
use crate::dataset::Resplit;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::{self, FitConfig};
use crate::metrics::{self, LabelIssue};
use crate::monitor::{Monitor, Unit};
use crate::run::Prediction;
use crate::threads;
use crate::train::TrainingSet;
use crate::train::fit_context::FitContext;
use crate::train::held_out;
use serde::Serialize;
use std::path::Path;

/// What heads that were fitted to other images say of the labels.
#[derive(Debug, Clone, Serialize)]
pub struct Suspects {
    /// Images that were answered: all of the cache, each by a head fitted without it.
    pub images: usize,
    /// How many heads: each answers one of so many equal parts.
    pub folds: usize,
    /// How many of the answers are the labels.
    pub accuracy: f64,
    /// Images whose label is in doubt, the most doubtful first.
    pub suspects: Vec<Suspect>,
}

/// An image whose label is in doubt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    /// Relative to the folder of images; of copies the first.
    pub path: String,
    /// Of its bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// What it is labelled.
    pub label: String,
    /// What it may be instead.
    pub suggested: String,
    /// The probability of its label.
    pub label_probability: f64,
    /// The probability of the other.
    pub suggested_probability: f64,
}

/// Parts that the images are dealt to.
const FOLDS: usize = 5;

/// Train rows times classes at the most: about a minute of fitting on two cores.
const MOST: usize = 1_000_000;

/// Fits a head of the default settings to all folds but one, [`FOLDS`] times, and asks it about that one; [`metrics::find_label_issues`]
/// judges the answers. Plain images only: their variants share their labels.
///
/// # Errors
/// Those of `train` on so many folds.
pub(super) fn of(cache: &Path, monitor: &dyn Monitor) -> Result<Suspects> {
    let threads = threads::number(0);
    let set = TrainingSet::open_with_threads(cache, threads)?;
    let none = [Variant::None.to_string()];
    let folds = Resplit::folds(FOLDS, 0)?.into_iter();
    let folds = folds.map(|fold| set.split_rows(Some(fold), Some(&none[..]), monitor));
    let folds = folds.collect::<Result<Vec<_>>>()?;
    let work = folds[0].train.keys.len() * set.classes().len();
    if work > MOST {
        return Err(Error::new(
            Kind::Input,
            format!("{work} train rows times classes are too many to fit in passing"),
        )
        .help("run `headstart train CACHE --folds 5` and look at its answers"));
    }
    let table = set.load(&folds)?;
    let task = monitor.task("looking for doubtful labels", Some(FOLDS as u64), Unit::Parts);
    let mut answers: Vec<Prediction> = Vec::new();
    for splits in &folds {
        let context = FitContext { set: &set, splits, table: &table, threads };
        let job = context.job(None, FitConfig::default().check()?)?;
        let fitted = context.adam(FitConfig::default().standardize).fit_one(job, &mut |_, _| {})?;
        answers.extend(context.predict_test(&fitted.head));
        task.advance(1);
    }
    Ok(judged(set.classes(), &held_out::sorted(answers)))
}

fn judged(classes: &[String], answers: &[Prediction]) -> Suspects {
    let class =
        |row: &Prediction| classes.binary_search(&row.label).expect("classes are sorted, and of the samples");
    let targets: Vec<usize> = answers.iter().map(class).collect();
    let probabilities: Vec<Vec<f32>> = answers.iter().map(|row| row.probabilities.clone()).collect();
    let suspect = |doubt: &LabelIssue| Suspect {
        path: answers[doubt.row].path.clone(),
        image_sha256: answers[doubt.row].image_sha256,
        label: answers[doubt.row].label.clone(),
        suggested: classes[doubt.suggested].clone(),
        label_probability: f64::from(probabilities[doubt.row][targets[doubt.row]]),
        suggested_probability: f64::from(probabilities[doubt.row][doubt.suggested]),
    };
    let right = answers.iter().filter(|row| row.label == row.predicted).count();
    Suspects {
        images: answers.len(),
        folds: FOLDS,
        accuracy: right as f64 / answers.len().max(1) as f64,
        suspects: metrics::find_label_issues(&targets, &probabilities).iter().map(suspect).collect(),
    }
}
