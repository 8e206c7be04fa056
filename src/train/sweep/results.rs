//! Result of each head of a sweep.

use super::grid::HeadName;
use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Split};
use crate::error::Error;
use crate::head::{FitConfig, FitResult, SolverConfig, StopOn};
use crate::metrics::ResampledMean;
use crate::run::{FoldScore, Prediction};
use crate::train::ValidationScore;
use crate::train::ranking::{FoldAccuracies, Ranked, may_be_as_good, rank};
use crate::train::selection::{FoldScores, Rule, ScoreTable, pooled as pooled_folds};
use crate::train::split_rows::SplitRows;
use crate::train::stats::is_near_the_limit;
use serde::Serialize;
use std::path::PathBuf;

/// Result of one head of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct HeadResult {
    /// Folder of its run.
    pub run: PathBuf,
    /// Layer of its features, or the name of the cache where several caches have the same layer.
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
    /// Whether it answers each test image correctly, in the order of the images.
    #[serde(skip)]
    pub(super) test_answers: Vec<bool>,
    #[serde(skip)]
    pub(super) split_size: SplitSize,
    /// Scores of its settings in folds within the train images, where those choose.
    #[serde(skip)]
    fold_scores: Option<FoldScores>,
    /// Why the head has no run; `None` for a head that was fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Numbers of images of an assignment of splits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SplitSize {
    pub train_images: usize,
    /// Of all splits together.
    pub images: usize,
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

/// How the heads of one cache do on images that had no part in fitting them nor in choosing among them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerAccuracy {
    /// Layer of the features, or the name of the cache where several caches have the same layer.
    pub layer: String,
    /// Accuracy over the folds of all splits, 0 to 1: each fold is scored by the settings that the other folds choose.
    pub accuracy: ResampledMean,
    /// The accuracy less that of the best layer, fold by fold; `None` for the best one.
    pub difference: Option<ResampledMean>,
}

impl LayerAccuracy {
    /// Whether the best layer may be no better: the interval of the difference holds 0.
    pub fn may_be_as_good(&self) -> bool {
        may_be_as_good(self.difference)
    }
}

impl SplitSize {
    pub fn of(splits: &SplitRows, classes: usize) -> Self {
        let [train_images, validation, test] = [&splits.train, &splits.validation, &splits.test]
            .map(|rows| rows.images_per_class(classes).iter().sum::<usize>());
        Self { train_images, images: train_images + validation + test }
    }
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
            hidden: settings.hidden_units(),
            run,
            layer: name.layer.clone(),
            variants: name.variants.clone(),
            lr,
            l2: settings.l2(),
            seed,
            resplit,
            epochs: 0,
            best_epoch: 0,
            validation: None,
            test_accuracy: None,
            test_answers: Vec::new(),
            split_size: SplitSize::default(),
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
        split_size: SplitSize,
    ) -> Self {
        let best = &fitted.history[fitted.best_epoch - 1];
        let is_tested = |row: &&Prediction| row.split == Split::Test && row.variant == Variant::None;
        let tested = predictions.iter().filter(is_tested);
        let test_answers: Vec<bool> = tested.map(|row| row.label == row.predicted).collect();
        let correct = test_answers.iter().filter(|correct| **correct).count();
        Self {
            epochs: fitted.history.len(),
            best_epoch: fitted.best_epoch,
            validation: Some(match folds.as_ref().and_then(|folds| pooled_folds(folds)) {
                Some(FoldScore { loss, accuracy, .. }) => ValidationScore { loss, accuracy },
                None => ValidationScore { loss: best.validation_loss, accuracy: best.validation_accuracy },
            }),
            test_accuracy: (!test_answers.is_empty()).then(|| correct as f64 / test_answers.len() as f64),
            test_answers,
            split_size,
            fold_scores: folds,
            ..self
        }
    }
}

/// For each split, how the choice among all of its heads does on folds that had no part in it. Empty where no folds choose.
pub(super) fn nested(heads: &[HeadResult], by: StopOn) -> Vec<NestedAccuracy> {
    let chosen = heads.iter().filter(|head| head.fold_scores.is_some());
    let estimate = |heads: Vec<&HeadResult>| {
        let scores: Vec<FoldScores> = heads.iter().filter_map(|head| head.fold_scores.clone()).collect();
        let table = ScoreTable { scores: &scores, folds: scores[0].len(), by, rule: Rule::Best };
        Some(NestedAccuracy { resplit: heads[0].resplit, accuracy: table.nested()? })
    };
    grouped(chosen, |head| head.resplit).into_iter().filter_map(estimate).collect()
}

/// Each layer, the most accurate one first. Empty where there is one alone, or no folds choose.
pub(super) fn layers(heads: &[HeadResult], widths: &[(&str, usize)], by: StopOn) -> Vec<LayerAccuracy> {
    let splits = grouped(heads, |head| head.resplit);
    let score = |&(layer, width): &(&str, usize)| {
        let mut accuracies = Vec::new();
        let mut folds = 0;
        for heads in &splits {
            let own = heads.iter().filter(|head| head.layer == layer);
            let scores: Vec<FoldScores> = own.map(|head| head.fold_scores.clone()).collect::<Option<_>>()?;
            folds = scores.first()?.len();
            let table = ScoreTable { scores: &scores, folds, by, rule: Rule::Best };
            accuracies.extend(table.nested_accuracies()?);
        }
        let images = splits.first()?.first()?.split_size.train_images / folds;
        Some((folds, FoldAccuracies { accuracies, width, images }))
    };
    let Some(scored) = widths.iter().map(score).collect::<Option<Vec<_>>>() else { return Vec::new() };
    let (folds, scored): (Vec<usize>, Vec<FoldAccuracies>) = scored.into_iter().unzip();
    if scored.len() < 2 {
        return Vec::new();
    }
    let ranked = rank(&scored, folds[0]).into_iter();
    let layer = |one: Ranked| LayerAccuracy {
        layer: widths[one.index].0.into(),
        accuracy: one.accuracy,
        difference: one.difference,
    };
    ranked.map(layer).collect()
}

/// Groups of heads with the same key, in the order of their first heads.
pub(super) fn grouped<'a, K: PartialEq>(
    heads: impl IntoIterator<Item = &'a HeadResult>,
    key: impl Fn(&HeadResult) -> K,
) -> Vec<Vec<&'a HeadResult>> {
    let mut groups: Vec<Vec<&HeadResult>> = Vec::new();
    for head in heads {
        match groups.iter_mut().find(|group| key(group[0]) == key(head)) {
            Some(group) => group.push(head),
            None => groups.push(vec![head]),
        }
    }
    groups
}
