//! Label issues: labels that disagree with the predictions of heads fitted without these images.

use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Split};
use crate::error::{Error, Kind, Result};
use crate::head::{FitConfig, SolverConfig};
use crate::io::digest::Digest;
use crate::math::parallel;
use crate::metrics;
use crate::monitor::{Monitor, Unit};
use crate::run::Prediction;
use crate::train::TrainingSet;
use crate::train::fit_context::FitContext;
use crate::train::held_out;
use crate::train::inner_folds::InnerFolds;
use crate::train::solvers::fit_heads;
use crate::train::split_rows::HeldOutRows;
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
/// [`metrics::find_label_issues`] compares the predictions with the labels.
///
/// # Errors
/// Those of `train` with that many folds; [`Kind::Input`] for more than [`MOST`] train rows times classes.
pub(super) fn find(cache: &Path, monitor: &dyn Monitor) -> Result<LabelIssues> {
    let threads = parallel::thread_count(0);
    let set = TrainingSet::open_with_threads(cache, threads)?;
    let none = [Variant::None.to_string()];
    let folds = Resplit::folds(FOLDS, 0)?.into_iter();
    let folds = folds.map(|fold| set.split_rows(Some(fold), Some(&none[..]), monitor));
    let folds = folds.collect::<Result<Vec<_>>>()?;
    let work = folds[0].train.keys.len() * set.classes().len();
    if work > MOST {
        return Err(Error::new(
            Kind::Input,
            format!("{work} train rows times classes are too many to fit for a page"),
        )
        .help("run `train` with 5 `folds` and look at its predictions"));
    }
    let table = set.load(&folds)?;
    let task = monitor.task("looking for label issues", Some(FOLDS as u64), Unit::Parts);
    let mut predictions: Vec<Prediction> = Vec::new();
    for splits in &folds {
        let context = FitContext { set: &set, splits, table: &table, threads };
        let adam = [SolverConfig::Adam(FitConfig::default())];
        let mut heads = match splits.validation.keys.is_empty() {
            false => fit_heads(context, &adam, None, &mut |_, _, _| {})?,
            true => {
                let heads = InnerFolds::of(splits, set.classes())?.fit_heads(
                    context,
                    &adam,
                    None,
                    &mut |_, _, _| {},
                )?;
                heads.into_iter().map(|(head, _)| head).collect()
            }
        };
        let fitted = heads.pop().expect("one head").fitted?;
        let test = HeldOutRows { split: Split::Test, rows: &splits.test };
        let rows = table.select(test.rows);
        predictions.extend(held_out::predict(&fitted.head, &set, test, rows.rows()));
        task.advance(1);
    }
    Ok(label_issues(set.classes(), &held_out::sorted(predictions)))
}

fn label_issues(classes: &[String], predictions: &[Prediction]) -> LabelIssues {
    let class =
        |row: &Prediction| classes.binary_search(&row.label).expect("classes are sorted, and of the samples");
    let targets: Vec<usize> = predictions.iter().map(class).collect();
    let probabilities: Vec<Vec<f32>> = predictions.iter().map(|row| row.probabilities.clone()).collect();
    let issue = |found: &metrics::SuspectRow| LabelIssue {
        path: predictions[found.row].path.clone(),
        image_sha256: predictions[found.row].image_sha256,
        label: predictions[found.row].label.clone(),
        suggested: classes[found.suggested].clone(),
        label_probability: f64::from(probabilities[found.row][targets[found.row]]),
        suggested_probability: f64::from(probabilities[found.row][found.suggested]),
    };
    let correct = predictions.iter().filter(|row| row.label == row.predicted).count();
    LabelIssues {
        images: predictions.len(),
        folds: FOLDS,
        accuracy: correct as f64 / predictions.len().max(1) as f64,
        issues: metrics::find_label_issues(&targets, &probabilities).iter().map(issue).collect(),
    }
}
