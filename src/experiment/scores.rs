//! What an experiment reports about runs, pairs, switches and baselines. Accuracies are fractions of correct answers, 0 to
//! 1; their differences are -1 to 1.

use super::file::Published;
use crate::metrics::{MeanWithInterval, ResampledMean};
use serde::Serialize;

/// Accuracy on the test images.
#[derive(Debug, Clone, Serialize)]
pub struct TestScore {
    /// Number of test images that count, on the splits of the caches.
    pub images: usize,
    /// Accuracy of the first head on the splits of the caches.
    pub first: f64,
    /// Its 95 % confidence interval (Wilson 1927).
    pub interval: [f64; 2],
    /// Over the heads on the splits of the caches.
    pub seeds: Option<MeanWithInterval>,
    /// Over the other splits, one head each; the interval is that of the corrected resampled t-test.
    pub splits: Option<ResampledMean>,
    /// Accuracy of each head on the splits of the caches.
    pub of_seeds: Vec<f64>,
    /// Accuracy of the head on each other split.
    pub of_splits: Vec<f64>,
}

/// Score of a run in one condition.
#[derive(Debug, Clone, Serialize)]
pub struct RunScore {
    /// Name of the run.
    pub name: String,
    /// Published results of the run.
    pub published: Option<Published>,
    /// Accuracy on the test images.
    pub score: TestScore,
    /// Epochs of the heads on the splits of the caches.
    pub epochs: Option<MeanWithInterval>,
    /// Wall time of these heads together, in seconds.
    pub seconds: f64,
    /// Number of these heads.
    pub heads: usize,
}

/// Comparison of two runs or baselines on the same images.
#[derive(Debug, Clone, Serialize)]
pub struct PairScore {
    /// Name of the first.
    pub first: String,
    /// Name of the second, which the first is compared with.
    pub second: String,
    /// Accuracy of the first less that of the second, of the first heads on the splits of the caches.
    pub difference: f64,
    /// Its 95 % confidence interval (Newcombe 1998, method 10).
    pub interval: [f64; 2],
    /// P value of McNemar's exact test.
    pub p_value: f64,
    /// Difference over the other splits (corrected resampled t-test).
    pub splits: Option<ResampledMean>,
    /// P value over the other splits, or of McNemar's test where there are none, corrected for the number of pairs (Holm 1979).
    pub adjusted_p_value: f64,
}

/// Scores of all runs with some switches on.
#[derive(Debug, Clone, Serialize)]
pub struct ConditionScore {
    /// Name of the condition.
    pub name: String,
    /// Names of the switches that are on.
    pub switches: Vec<String>,
    /// All runs, in the order of the file.
    pub runs: Vec<RunScore>,
    /// All pairs, in the order of the file.
    pub pairs: Vec<PairScore>,
}

/// Effect of switches on accuracy: with them less without.
#[derive(Debug, Clone, Serialize)]
pub struct SwitchEffect {
    /// Name of the switch, or of the condition with all its switches.
    pub name: String,
    /// What the switch does.
    pub about: String,
    /// Mean effect over the runs that the switch changes; `None` when it changes none.
    pub mean: Option<AccuracyChange>,
    /// Effect on each run, in the order of the file; `None` for a run that the switch does not change.
    pub runs: Vec<Option<AccuracyChange>>,
}

/// Difference of two accuracies.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AccuracyChange {
    /// Over the heads on the splits of the caches, each compared with the head of the same seed.
    pub seeds: Option<MeanWithInterval>,
    /// Over the other splits (corrected resampled t-test).
    pub splits: Option<ResampledMean>,
}

/// Score of a baseline.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineScore {
    /// Name of the baseline.
    pub name: String,
    /// Accuracy on the test images.
    pub score: TestScore,
    /// Wall time over all splits, in seconds.
    pub seconds: f64,
}
