//! Label issues: labels that disagree with the predictions of heads fitted without these images.

use super::heads::answer_test_images;
use crate::data::dataset::Resplit;
use crate::error::Result;
use crate::io::digest::Digest;
use crate::metrics;
use crate::monitor::Monitor;
use crate::run::Prediction;
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

/// Finds label issues: in [`FOLDS`]-fold cross-validation with the default settings and the plain images,
/// [`metrics::find_label_issues`] compares the predictions with the labels.
///
/// # Errors
/// Those of [`answer_test_images`].
pub(super) fn find(cache: &Path, monitor: &dyn Monitor) -> Result<LabelIssues> {
    let folds = Resplit::folds(FOLDS, 0)?.into_iter().map(Some).collect();
    let found = answer_test_images(cache, folds, "looking for label issues", monitor)?;
    Ok(label_issues(&found.classes, &found.predictions))
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
