//! Result of each setting of a sweep over its seeds and splits, and the choice of the best.

use super::results::{HeadResult, grouped};
use crate::data::dataset::Resplit;
use crate::head::StopOn;
use crate::metrics::{
    AccuracyInterval, MeanOverHeads, SplitAnswers, SplitDesign, accuracy_over_heads, mean_over_heads,
};
use serde::Serialize;
use std::cmp::Ordering;
use std::path::PathBuf;

/// Result of a setting over its seeds and splits.
#[derive(Debug, Clone, Serialize)]
pub struct SettingResult {
    /// Layer of the features, or the name of the cache where several caches have the same layer.
    pub layer: String,
    /// Name of the feature set, such as `none,flip`.
    #[serde(rename = "use")]
    pub variants: String,
    /// Number of hidden units; 0 without a hidden layer.
    pub hidden: usize,
    /// Learning rate; `None` for L-BFGS.
    pub lr: Option<f64>,
    /// L2 penalty.
    pub l2: f64,
    /// Number of heads that failed; the other fields leave them out.
    pub failed: usize,
    /// Validation loss over the heads; `None` when all failed.
    pub validation_loss: Option<MeanOverHeads>,
    /// Validation accuracy over the heads, 0 to 1; `None` when all failed.
    pub validation_accuracy: Option<MeanOverHeads>,
    /// Test accuracy over the heads, 0 to 1; `None` when all failed or there are no test images.
    pub test_accuracy: Option<MeanOverHeads>,
    /// Mean test accuracy with its interval, and what that speaks of. Where the splits are folds, it is the accuracy of all
    /// folds together.
    pub test_interval: Option<AccuracyInterval>,
}

/// A number that is smaller for a better score.
fn rank(loss: f64, accuracy: f64, by: StopOn) -> f64 {
    if by == StopOn::Loss { loss } else { -accuracy }
}

/// The run of the head with the best validation score, the first of equals. `None` where heads have different splits: scores on
/// different images cannot be compared head by head.
pub(super) fn best(heads: &[HeadResult], by: StopOn) -> Option<PathBuf> {
    let first = heads.first()?;
    let fitted = heads.iter().filter_map(|head| Some((head, head.validation?)));
    let best =
        fitted.min_by(|(_, a), (_, b)| rank(a.loss, a.accuracy, by).total_cmp(&rank(b.loss, b.accuracy, by)));
    let has_one_split = heads.iter().all(|head| head.resplit == first.resplit);
    best.filter(|_| has_one_split).map(|(head, _)| head.run.clone())
}

/// Each setting over its seeds and splits, the best mean validation score first. Those with heads that failed come last: their
/// mean is over other heads.
pub(super) fn over_heads(heads: &[HeadResult], by: StopOn) -> Vec<SettingResult> {
    let key = |head: &HeadResult| (head.layer.clone(), head.variants.clone(), head.hidden, head.lr, head.l2);
    let mut settings: Vec<SettingResult> = grouped(heads, key).iter().map(|heads| setting(heads)).collect();
    let rank = |setting: &SettingResult| {
        let (loss, accuracy) = setting.validation_loss.zip(setting.validation_accuracy)?;
        Some((setting.failed, rank(loss.mean, accuracy.mean, by)))
    };
    settings.sort_by(|a, b| match (rank(a), rank(b)) {
        (Some((failed, a)), Some((other, b))) => (failed > 0).cmp(&(other > 0)).then(a.total_cmp(&b)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    settings
}

fn setting(heads: &[&HeadResult]) -> SettingResult {
    let first = heads[0];
    let fitted = heads.iter().copied().filter(|head| head.failed.is_none());
    let splits = grouped(fitted, |head| head.resplit);
    let over = |of: &dyn Fn(&HeadResult) -> Option<f64>| {
        let scores = |heads: &Vec<&HeadResult>| heads.iter().filter_map(|head| of(head)).collect();
        mean_over_heads(&splits.iter().map(scores).collect::<Vec<Vec<f64>>>())
    };
    let answers: Vec<SplitAnswers> = splits.iter().map(|heads| split_answers(heads)).collect();
    SettingResult {
        layer: first.layer.clone(),
        variants: first.variants.clone(),
        hidden: first.hidden,
        lr: first.lr,
        l2: first.l2,
        failed: heads.iter().filter(|head| head.failed.is_some()).count(),
        validation_loss: over(&|head| Some(head.validation?.loss)),
        validation_accuracy: over(&|head| Some(head.validation?.accuracy)),
        test_accuracy: over(&|head| head.test_accuracy),
        test_interval: accuracy_over_heads(&answers, design(&splits)),
    }
}

fn split_answers<'a>(heads: &[&'a HeadResult]) -> SplitAnswers<'a> {
    let size = heads[0].split_size;
    SplitAnswers {
        correct: heads.iter().map(|head| head.test_answers.as_slice()).collect(),
        train_images: size.train_images,
        images: size.images,
    }
}

/// Folds where each fold of one cross-validation occurs, so that each image is tested once.
fn design(splits: &[Vec<&HeadResult>]) -> SplitDesign {
    let resplits: Vec<Option<Resplit>> = splits.iter().map(|heads| heads[0].resplit).collect();
    if Resplit::are_all_folds(&resplits) { SplitDesign::Folds } else { SplitDesign::Random }
}
