//! Label issues: labels that disagree with the predictions of heads fitted without these images.

use crate::augment::Variant;
use crate::dataset::{Division, Split};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::{self, FitConfig};
use crate::metrics::{self, Doubt};
use crate::monitor::{Monitor, Unit};
use crate::run::Prediction;
use crate::threads;
use crate::train::shelf::Shelf;
use crate::train::{job, outcome};
use serde::Serialize;
use std::path::Path;

/// Labels that may be wrong, found by cross-validation.
#[derive(Debug, Clone, Serialize)]
pub struct LabelIssues {
    /// Number of images predicted: all images of the cache, each by a head fitted without it.
    pub images: usize,
    /// Number of folds, and of heads.
    pub folds: usize,
    /// Fraction of predictions that equal the labels.
    pub accuracy: f64,
    /// Images with a label issue, the most likely wrong label first.
    #[serde(rename = "suspects")]
    pub issues: Vec<LabelIssue>,
}

/// An image whose label may be wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelIssue {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// The label.
    pub label: String,
    /// The label that it may have to be.
    pub suggested: String,
    /// Predicted probability of the label.
    pub label_probability: f64,
    /// Predicted probability of the suggested label.
    pub suggested_probability: f64,
}

/// Number of folds.
const FOLDS: usize = 5;

/// Train rows times classes at most: about a minute of fitting on two cores.
const MOST: usize = 1_000_000;

/// Finds label issues: in [`FOLDS`]-fold cross-validation with the default settings and the plain images,
/// [`metrics::doubts`] compares the predictions with the labels.
///
/// # Errors
/// Those of `train` with that many folds; [`Kind::Input`] for more than [`MOST`] train rows times classes.
pub(super) fn find(cache: &Path, monitor: &dyn Monitor) -> Result<LabelIssues> {
    let threads = threads::number(0);
    let shelf = Shelf::open(cache, threads)?;
    let none = [Variant::None.to_string()];
    let fold = |number| Division::Fold { number, folds: FOLDS, seed: 0 };
    let plans = (1..=FOLDS).map(|number| shelf.plan(Some(fold(number)), Some(&none[..]), monitor));
    let plans = plans.collect::<Result<Vec<_>>>()?;
    let work = plans[0].train.keys.len() * shelf.classes.len();
    if work > MOST {
        return Err(Error::new(
            Kind::Input,
            format!("{work} train rows times classes are too many to fit for a page"),
        )
        .help("run `train` with 5 `folds` and look at its predictions"));
    }
    let loaded = shelf.load(&plans, threads)?;
    let task = monitor.task("looking for label issues", Some(FOLDS as u64), Unit::Parts);
    let mut predictions: Vec<Prediction> = Vec::new();
    for plan in &plans {
        let [train, validation, test] =
            [&plan.train, &plan.validation, &plan.test].map(|part| loaded.examples(part));
        let job = job(&shelf, plan, None, FitConfig::default().check()?)?;
        let rows = |examples| loaded.rows(examples);
        let fitted = head::fit(job, rows(&train), Some(rows(&validation)), threads, &mut |_, _| {})?;
        predictions.extend(outcome::predict(&fitted.head, &shelf, &plan.test, rows(&test), Split::Test));
        task.advance(1);
    }
    Ok(label_issues(&shelf.classes, &outcome::sorted(predictions)))
}

fn label_issues(classes: &[String], predictions: &[Prediction]) -> LabelIssues {
    let class =
        |row: &Prediction| classes.binary_search(&row.label).expect("classes are sorted, and of the samples");
    let targets: Vec<usize> = predictions.iter().map(class).collect();
    let probabilities: Vec<Vec<f32>> = predictions.iter().map(|row| row.probabilities.clone()).collect();
    let issue = |doubt: &Doubt| LabelIssue {
        path: predictions[doubt.row].path.clone(),
        image_sha256: predictions[doubt.row].image_sha256,
        label: predictions[doubt.row].label.clone(),
        suggested: classes[doubt.suggested].clone(),
        label_probability: f64::from(probabilities[doubt.row][targets[doubt.row]]),
        suggested_probability: f64::from(probabilities[doubt.row][doubt.suggested]),
    };
    let correct = predictions.iter().filter(|row| row.label == row.predicted).count();
    LabelIssues {
        images: predictions.len(),
        folds: FOLDS,
        accuracy: correct as f64 / predictions.len().max(1) as f64,
        issues: metrics::doubts(&targets, &probabilities).iter().map(issue).collect(),
    }
}
