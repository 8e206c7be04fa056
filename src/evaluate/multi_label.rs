//! Scores of a run on images with several labels.

use super::share_interval;
use crate::data::augment::Variant;
use crate::data::dataset::{Split, label_set};
use crate::error::{Error, Kind, Result};
use crate::metrics::{ClassCurve, F1Score, LabelCounts, class_curves, micro_score};
use crate::run::{self, Prediction, StoredRun};
use serde::Serialize;

/// Scores of a run on one split of images with several labels. Fractions are 0 to 1; undefined values are `None`.
#[derive(Debug, Clone, Serialize)]
pub struct MultiLabelStats {
    /// The split.
    pub split: Split,
    /// Number of images in the split.
    pub images: usize,
    /// Scores of each label, in order of their names.
    pub labels: Vec<LabelScore>,
    /// Mean of the average precisions of the labels that have one.
    pub mean_average_precision: Option<f64>,
    /// Scores over all pairs of an image and a label.
    pub micro: F1Score,
    /// Mean F1 over the labels that occur among truth or answers.
    pub macro_f1: Option<f64>,
    /// Share of images all of whose labels are answered right.
    pub exact_match: f64,
    /// The 95 % interval of that share: Wilson's, or by the bootstrap over groups where images are in groups.
    pub exact_match_interval: Option<[f64; 2]>,
    /// Number of groups and of images on their own, where images are in groups. The intervals of average precisions take no
    /// account of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// Share of pairs of an image and a label that are answered wrong (Hamming loss).
    pub hamming_loss: f64,
}

/// Scores of one label.
#[derive(Debug, Clone, Serialize)]
pub struct LabelScore {
    /// Name of the label.
    pub name: String,
    /// Images that have it.
    pub support: usize,
    /// Images that are answered with it.
    pub predicted: usize,
    /// The probability from which it is answered.
    pub threshold: f64,
    /// Precision, recall and F1 of the answers.
    #[serde(flatten)]
    pub score: F1Score,
    /// Average precision and ROC area over all thresholds, with their curves; `None` without images with the label, or without it.
    pub curve: Option<ClassCurve>,
}

/// Scores the predictions of a run on images with several labels, for variant `none`.
///
/// # Errors
/// [`Kind::Usage`] for the train split; [`Kind::Run`] when the run is damaged, of one class an image, or has no images in the
/// split.
pub fn evaluate_multi_label(run: &StoredRun, split: Split) -> Result<MultiLabelStats> {
    run::check_split(split)?;
    let record = run.record();
    let names = record.class_names();
    let multi_label = record.multi_label.as_ref().ok_or_else(|| {
        Error::new(Kind::Run, "its images have one class each").at(run.path()).help("use `evaluate`")
    })?;
    let mut rows = run.predictions()?;
    rows.retain(|row| row.split == split && row.variant == Variant::None);
    if rows.is_empty() {
        let message = format!("its {split} split has no images");
        let help = "`extract` with another `split`, then train again";
        return Err(Error::new(Kind::Run, message).at(run.path()).help(help));
    }
    if let Some(row) = rows.iter().find(|row| row.probabilities.len() != names.len()) {
        let message = format!("the prediction for {} does not fit its labels", row.path);
        return Err(Error::new(Kind::Run, message).at(run.path()).help("train again"));
    }
    let truth: Vec<Vec<bool>> = rows.iter().map(|row| members(row, &names)).collect();
    let answers: Vec<Vec<bool>> =
        rows.iter().map(|row| multi_label.answers(&row.probabilities).collect()).collect();
    Ok(scores(split, &rows, &names, &multi_label.thresholds, [&truth, &answers]))
}

/// Whether an image has each label.
fn members(row: &Prediction, names: &[String]) -> Vec<bool> {
    let own = label_set(&row.label);
    names.iter().map(|name| own.binary_search(name).is_ok()).collect()
}

fn scores(
    split: Split,
    rows: &[Prediction],
    names: &[String],
    thresholds: &[f64],
    [truth, answers]: [&[Vec<bool>]; 2],
) -> MultiLabelStats {
    let column = |all: &[Vec<bool>], label: usize| all.iter().map(|row| row[label]).collect::<Vec<bool>>();
    let counts: Vec<LabelCounts> =
        (0..names.len()).map(|label| LabelCounts::of(column(truth, label), column(answers, label))).collect();
    let labels: Vec<LabelScore> = (0..names.len())
        .map(|label| LabelScore {
            name: names[label].clone(),
            support: counts[label].support,
            predicted: counts[label].predicted,
            threshold: thresholds[label],
            score: counts[label].score(),
            curve: curve(rows, &column(truth, label), label),
        })
        .collect();
    let precisions: Vec<f64> =
        labels.iter().filter_map(|label| Some(label.curve.as_ref()?.average_precision)).collect();
    let f1: Vec<f64> = labels.iter().filter_map(|label| label.score.f1).collect();
    let is_exact: Vec<bool> = truth.iter().zip(answers).map(|(truth, answers)| truth == answers).collect();
    let exact = is_exact.iter().filter(|is_exact| **is_exact).count();
    let of_rows: Vec<Option<&str>> = rows.iter().map(|row| row.group.as_deref()).collect();
    let (exact_match_interval, groups) = share_interval(&is_exact, &of_rows);
    let pairs = truth.iter().flatten().zip(answers.iter().flatten());
    let wrong = pairs.filter(|(truth, answer)| truth != answer).count();
    MultiLabelStats {
        split,
        images: rows.len(),
        mean_average_precision: mean(&precisions),
        micro: micro_score(&counts),
        macro_f1: mean(&f1),
        exact_match: exact as f64 / rows.len() as f64,
        exact_match_interval,
        groups,
        hamming_loss: wrong as f64 / (rows.len() * names.len()).max(1) as f64,
        labels,
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The curves of one label against its absence.
fn curve(rows: &[Prediction], truth: &[bool], label: usize) -> Option<ClassCurve> {
    let of = |row: &Prediction| {
        let probability = f64::from(row.probabilities[label]);
        vec![1.0 - probability, probability]
    };
    let probabilities: Vec<Vec<f64>> = rows.iter().map(of).collect();
    let truth: Vec<usize> = truth.iter().map(|&is_true| usize::from(is_true)).collect();
    class_curves(&truth, &probabilities, 2).pop().flatten()
}
