//! Results of a sweep: of each head, and of each setting over its seeds and splits.

use super::grid::HeadName;
use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Split};
use crate::error::Error;
use crate::head::{FitConfig, FitResult, SolverConfig, StopOn};
use crate::metrics::{self, MeanWithInterval, ResampledMean, mean_with_interval};
use crate::run::{FoldScore, Prediction};
use crate::train::ValidationScore;
use crate::train::selection::{FoldScores, Rule, ScoreTable, pooled as pooled_folds};
use crate::train::stats::is_near_the_limit;
use serde::Serialize;
use std::cmp::Ordering;
use std::path::PathBuf;

/// Result of one head of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct HeadResult {
    /// Folder of its run.
    pub run: PathBuf,
    /// Name of the feature set, such as `none+flip`.
    #[serde(rename = "use")]
    pub variants: String,
    /// Learning rate; `None` for L-BFGS.
    pub lr: Option<f64>,
    /// L2 penalty.
    pub l2: f64,
    /// Seed of the initial weights; `None` for L-BFGS.
    pub seed: Option<u64>,
    /// Splits that replace those of the cache.
    #[serde(rename = "division")]
    pub resplit: Option<Resplit>,
    /// Number of epochs; 0 for a head that failed.
    pub epochs: usize,
    /// The epoch whose head was kept, from 1; 0 for a head that failed.
    pub best_epoch: usize,
    /// Validation score at that epoch, or over the folds that stand in for validation images; `None` for a head that failed.
    pub validation: Option<ValidationScore>,
    /// Fraction of correct answers on the test split, 0 to 1; `None` where there are no test images.
    pub test_accuracy: Option<f64>,
    /// Correct answers on the test split.
    #[serde(skip)]
    test_correct: usize,
    /// Images of the test split.
    #[serde(skip)]
    test_images: usize,
    /// Scores of its settings in folds within the train images, where those choose.
    #[serde(skip)]
    fold_scores: Option<FoldScores>,
    /// Why the head has no run; `None` for a head that was fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// How a choice by folds does on images that had no part in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NestedAccuracy {
    /// Splits that replace those of the cache.
    #[serde(rename = "division")]
    pub resplit: Option<Resplit>,
    /// Accuracy over the folds, 0 to 1: each fold is scored by the settings that the other folds choose.
    pub accuracy: ResampledMean,
}

/// Result of a setting over its seeds and splits.
#[derive(Debug, Clone, Serialize)]
pub struct SettingResult {
    /// Name of the feature set, such as `none+flip`.
    #[serde(rename = "use")]
    pub variants: String,
    /// Learning rate; `None` for L-BFGS.
    pub lr: Option<f64>,
    /// L2 penalty.
    pub l2: f64,
    /// Number of heads that failed; the other fields leave them out.
    pub failed: usize,
    /// Validation loss over the heads; `None` when all failed.
    pub validation_loss: Option<MeanWithInterval>,
    /// Validation accuracy over the heads, 0 to 1; `None` when all failed.
    pub validation_accuracy: Option<MeanWithInterval>,
    /// Test accuracy over the heads, 0 to 1; `None` when all failed or there are no test images.
    pub test_accuracy: Option<MeanWithInterval>,
    /// Test accuracy of all folds together, where each image is answered by the head that was fitted without it. `None`
    /// without folds, and with more than one seed.
    pub pooled: Option<PooledAccuracy>,
}

/// Test accuracy over the folds of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PooledAccuracy {
    /// Number of images in all folds.
    pub images: usize,
    /// Fraction of correct answers, 0 to 1.
    pub accuracy: f64,
    /// Its 95 % confidence interval (Wilson 1927).
    pub interval: [f64; 2],
}

impl HeadResult {
    /// A head that has no scores yet.
    pub(super) fn new(
        name: &HeadName,
        run: PathBuf,
        resplit: Option<Resplit>,
        settings: &SolverConfig,
    ) -> Self {
        let (lr, seed) = match settings {
            SolverConfig::Adam(FitConfig { lr, seed, .. }) => (Some(*lr), Some(*seed)),
            SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => (None, None),
        };
        Self {
            run,
            variants: name.variants.clone(),
            lr,
            l2: settings.l2(),
            seed,
            resplit,
            epochs: 0,
            best_epoch: 0,
            validation: None,
            test_accuracy: None,
            test_correct: 0,
            test_images: 0,
            fold_scores: None,
            failed: None,
        }
    }

    /// Whether its best epoch is among the last tenth of those that the settings allow.
    pub(super) fn is_near(&self, base: &SolverConfig) -> bool {
        matches!(base, SolverConfig::Adam(config) if is_near_the_limit(self.best_epoch, config.epochs))
    }

    /// The same head after its fit failed.
    pub(super) fn with_failure(self, error: &Error) -> Self {
        Self { failed: Some(error.to_string()), ..self }
    }

    /// The same head after its fit, with the scores of its predictions and of the folds that stand in for validation images.
    pub(super) fn with_scores(
        self,
        fitted: &FitResult,
        predictions: &[Prediction],
        folds: Option<FoldScores>,
    ) -> Self {
        let best = &fitted.history[fitted.best_epoch - 1];
        let is_tested = |row: &&Prediction| row.split == Split::Test && row.variant == Variant::None;
        let tested: Vec<&Prediction> = predictions.iter().filter(is_tested).collect();
        let correct = tested.iter().filter(|row| row.label == row.predicted).count();
        Self {
            epochs: fitted.history.len(),
            best_epoch: fitted.best_epoch,
            validation: Some(match folds.as_ref().and_then(|folds| pooled_folds(folds)) {
                Some(FoldScore { loss, accuracy, .. }) => ValidationScore { loss, accuracy },
                None => ValidationScore { loss: best.validation_loss, accuracy: best.validation_accuracy },
            }),
            fold_scores: folds,
            test_correct: correct,
            test_images: tested.len(),
            test_accuracy: (!tested.is_empty()).then(|| correct as f64 / tested.len() as f64),
            ..self
        }
    }
}

/// A number that is smaller for a better score.
fn rank(loss: f64, accuracy: f64, by: StopOn) -> f64 {
    if by == StopOn::Loss { loss } else { -accuracy }
}

/// The run of the head with the best validation score, the first of equals.
pub(super) fn best(heads: &[HeadResult], by: StopOn) -> Option<PathBuf> {
    let fitted = heads.iter().filter_map(|head| Some((head, head.validation?)));
    let best =
        fitted.min_by(|(_, a), (_, b)| rank(a.loss, a.accuracy, by).total_cmp(&rank(b.loss, b.accuracy, by)));
    best.map(|(head, _)| head.run.clone())
}

/// For each split, how the choice among all of its heads does on folds that had no part in it. Empty where no folds choose.
pub(super) fn nested(heads: &[HeadResult], by: StopOn) -> Vec<NestedAccuracy> {
    let mut by_split: Vec<(Option<Resplit>, Vec<FoldScores>)> = Vec::new();
    for head in heads {
        let Some(scores) = &head.fold_scores else { continue };
        match by_split.iter_mut().find(|(resplit, _)| *resplit == head.resplit) {
            Some((_, all)) => all.push(scores.clone()),
            None => by_split.push((head.resplit, vec![scores.clone()])),
        }
    }
    let estimate = |(resplit, scores): (Option<Resplit>, Vec<FoldScores>)| {
        let table = ScoreTable { scores: &scores, folds: scores[0].len(), by, rule: Rule::Best };
        Some(NestedAccuracy { resplit, accuracy: table.nested()? })
    };
    by_split.into_iter().filter_map(estimate).collect()
}

/// Each setting over its seeds and splits, the best mean validation score first.
pub(super) fn over_repeats(heads: &[HeadResult], by: StopOn) -> Vec<SettingResult> {
    let mut groups: Vec<Vec<&HeadResult>> = Vec::new();
    for head in heads {
        let same = |group: &&mut Vec<&HeadResult>| {
            let first = group[0];
            (&first.variants, first.lr, first.l2) == (&head.variants, head.lr, head.l2)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(head),
            None => groups.push(vec![head]),
        }
    }
    let mut settings: Vec<SettingResult> = groups.iter().map(|heads| setting(heads)).collect();
    let rank = |setting: &SettingResult| {
        let (loss, accuracy) = setting.validation_loss.zip(setting.validation_accuracy)?;
        Some(rank(loss.mean, accuracy.mean, by))
    };
    settings.sort_by(|a, b| match (rank(a), rank(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    settings
}

fn setting(heads: &[&HeadResult]) -> SettingResult {
    let over = |of: &dyn Fn(&HeadResult) -> Option<f64>| {
        mean_with_interval(&heads.iter().filter_map(|head| of(head)).collect::<Vec<_>>())
    };
    let first = heads[0];
    SettingResult {
        variants: first.variants.clone(),
        lr: first.lr,
        l2: first.l2,
        failed: heads.iter().filter(|head| head.failed.is_some()).count(),
        validation_loss: over(&|head| Some(head.validation?.loss)),
        validation_accuracy: over(&|head| Some(head.validation?.accuracy)),
        test_accuracy: over(&|head| head.test_accuracy),
        pooled: pooled(heads),
    }
}

/// Test accuracy of all folds together, where each fold occurs once.
fn pooled(heads: &[&HeadResult]) -> Option<PooledAccuracy> {
    let mut numbers = Vec::new();
    for head in heads {
        match head.resplit {
            Some(Resplit::Fold { number, folds, .. }) if folds == heads.len() => numbers.push(number),
            _ => return None,
        }
    }
    numbers.sort_unstable();
    let complete =
        numbers.iter().copied().eq(1..=heads.len()) && heads.iter().all(|head| head.failed.is_none());
    let correct: usize = heads.iter().map(|head| head.test_correct).sum();
    let images: usize = heads.iter().map(|head| head.test_images).sum();
    let interval = metrics::wilson_interval(correct, images).filter(|_| complete)?;
    Some(PooledAccuracy { images, accuracy: correct as f64 / images as f64, interval })
}
