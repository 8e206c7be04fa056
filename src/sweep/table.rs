//! What came of the heads of a sweep: each by itself, and each setting over its seeds and splits.

use super::grid::Name;
use crate::augment::Variant;
use crate::dataset::{Division, Split};
use crate::head::{FitConfig, FitResult, StopOn};
use crate::metrics::{self, Spread, spread};
use crate::run::Prediction;
use crate::train::Score;
use serde::Serialize;
use std::cmp::Ordering;
use std::path::PathBuf;

/// One head of a sweep.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// Its run.
    pub run: PathBuf,
    /// The feature set.
    #[serde(rename = "use")]
    pub used: String,
    /// Its learning rate.
    pub lr: f64,
    /// Its penalty.
    pub l2: f64,
    /// The seed of its first weights.
    pub seed: u64,
    /// Its splits, where they are not the cache's own.
    pub division: Option<Division>,
    /// Epochs that ran.
    pub epochs: usize,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// On the validation split, at that epoch; `None` for a head that failed.
    pub validation: Option<Score>,
    /// On the test split: share of right answers; `None` where there are no test images.
    pub test_accuracy: Option<f64>,
    /// Right answers and images of the test split.
    #[serde(skip)]
    pub(super) tested: (usize, usize),
    /// Why there is no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A setting over its seeds and splits.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    /// The feature set.
    #[serde(rename = "use")]
    pub used: String,
    /// Its learning rate.
    pub lr: f64,
    /// Its penalty.
    pub l2: f64,
    /// Heads that failed and count nowhere else.
    pub failed: usize,
    /// Over the heads; `None` when all failed.
    pub validation_loss: Option<MeanWithInterval>,
    /// Likewise.
    pub validation_accuracy: Option<MeanWithInterval>,
    /// Likewise, on the test split.
    pub test_accuracy: Option<MeanWithInterval>,
    /// Over all folds together, each image answered by the head that has not seen it; `None` without folds, or
    /// with more than one seed.
    pub pooled: Option<Pooled>,
}

/// Right answers over the folds of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pooled {
    /// Images of all folds.
    pub images: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// Its 95 % interval (Wilson 1927).
    pub interval: [f64; 2],
}

impl Tried {
    /// A head that has reached nothing yet.
    pub(super) fn new(name: &Name, run: PathBuf, division: Option<Division>, settings: &FitConfig) -> Self {
        let FitConfig { lr, l2, seed, .. } = *settings;
        let used = name.used.clone();
        let (epochs, best_epoch, tested) = (0, 0, (0, 0));
        let (validation, test_accuracy, failed) = (None, None, None);
        Self {
            run,
            used,
            lr,
            l2,
            seed,
            division,
            epochs,
            best_epoch,
            validation,
            test_accuracy,
            tested,
            failed,
        }
    }

    /// Notes what it has reached.
    pub(super) fn reached(&mut self, fitted: &FitResult, predictions: &[Prediction]) {
        let best = &fitted.history[fitted.best_epoch - 1];
        let counts = |row: &&Prediction| row.split == Split::Test && row.variant == Variant::None;
        let tested: Vec<&Prediction> = predictions.iter().filter(counts).collect();
        let right = tested.iter().filter(|row| row.label == row.predicted).count();
        self.epochs = fitted.history.len();
        self.best_epoch = fitted.best_epoch;
        self.validation = Some(Score { loss: best.validation_loss, accuracy: best.validation_accuracy });
        self.tested = (right, tested.len());
        self.test_accuracy = (!tested.is_empty()).then(|| right as f64 / tested.len() as f64);
    }
}

/// What is smaller for what is better.
fn rank(loss: f64, accuracy: f64, by: StopOn) -> f64 {
    if by == StopOn::Loss { loss } else { -accuracy }
}

/// The run of the best head on its validation rows, the first of equals.
pub(super) fn best(tried: &[Tried], by: StopOn) -> Option<PathBuf> {
    let fitted = tried.iter().filter_map(|head| Some((head, head.validation?)));
    let best =
        fitted.min_by(|(_, a), (_, b)| rank(a.loss, a.accuracy, by).total_cmp(&rank(b.loss, b.accuracy, by)));
    best.map(|(head, _)| head.run.clone())
}

/// Each setting over its seeds and splits, the best mean on the validation rows first.
pub(super) fn settings(tried: &[Tried], by: StopOn) -> Vec<Setting> {
    let mut groups: Vec<Vec<&Tried>> = Vec::new();
    for head in tried {
        let same = |group: &&mut Vec<&Tried>| {
            let first = group[0];
            (&first.used, first.lr, first.l2) == (&head.used, head.lr, head.l2)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(head),
            None => groups.push(vec![head]),
        }
    }
    let mut settings: Vec<Setting> = groups.iter().map(|heads| setting(heads)).collect();
    let rank = |setting: &Setting| {
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

fn setting(heads: &[&Tried]) -> Setting {
    let over = |of: &dyn Fn(&Tried) -> Option<f64>| {
        mean_with_interval(&heads.iter().filter_map(|head| of(head)).collect::<Vec<_>>())
    };
    let first = heads[0];
    Setting {
        used: first.used.clone(),
        lr: first.lr,
        l2: first.l2,
        failed: heads.iter().filter(|head| head.failed.is_some()).count(),
        validation_loss: over(&|head| Some(head.validation?.loss)),
        validation_accuracy: over(&|head| Some(head.validation?.accuracy)),
        test_accuracy: over(&|head| head.test_accuracy),
        pooled: pooled(heads),
    }
}

/// All folds together, where each is there once.
fn pooled(heads: &[&Tried]) -> Option<Pooled> {
    let mut numbers = Vec::new();
    for head in heads {
        match head.division {
            Some(Division::Fold { number, folds, .. }) if folds == heads.len() => numbers.push(number),
            _ => return None,
        }
    }
    numbers.sort_unstable();
    let complete =
        numbers.iter().copied().eq(1..=heads.len()) && heads.iter().all(|head| head.failed.is_none());
    let (right, images) =
        heads.iter().fold((0, 0), |sum, head| (sum.0 + head.tested.0, sum.1 + head.tested.1));
    let interval = metrics::wilson_interval(right, images).filter(|_| complete)?;
    Some(Pooled { images, accuracy: right as f64 / images as f64, interval })
}
