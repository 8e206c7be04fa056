//! What an experiment reports as a whole.

use super::caches::{CacheStats, LoadedCache};
use super::scores::{BaselineScore, ConditionScore, SwitchEffect};
use super::scoring::Scoring;
use crate::data::dataset::Refused;
use serde::Serialize;
use std::path::PathBuf;

/// Result of an experiment.
#[derive(Debug, Clone, Serialize)]
pub struct ExperimentStats {
    /// Title of the experiment.
    pub title: String,
    /// Number of distinct images in each split of the caches: train, validation, test.
    pub images: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Number of heads of each run on the splits of the caches.
    pub seeds: usize,
    /// Number of other splits.
    pub resplits: usize,
    /// The columns of the table.
    pub conditions: Vec<ConditionScore>,
    /// Effect of each switch alone, then of each condition that has switches.
    #[serde(rename = "costs")]
    pub effects: Vec<SwitchEffect>,
    /// Simple methods that the runs are compared with.
    pub baselines: Vec<BaselineScore>,
    /// The caches of features.
    pub caches: Vec<CacheStats>,
    /// Published wall time of all runs, in minutes.
    pub published_minutes: Option<f64>,
    /// Number of heads that were fitted.
    pub heads: usize,
    /// Wall time of all fits, in seconds.
    pub fit_seconds: f64,
    /// Wall time of the baselines that are no heads, in seconds.
    pub baseline_seconds: f64,
    /// Wall time of predicting and writing the runs, in seconds.
    pub write_seconds: f64,
    /// Wall time of everything, in seconds.
    pub seconds: f64,
    /// Folders of the runs: the first head of each run in each condition.
    pub runs: Vec<PathBuf>,
    /// Files that cannot be used.
    pub refused: Vec<Refused>,
}

/// What the scores do not contain: times and folders.
pub(super) struct WorkDone {
    pub caches: Vec<CacheStats>,
    pub runs: Vec<PathBuf>,
    pub fit_seconds: f64,
    pub baseline_seconds: f64,
    pub write_seconds: f64,
    pub seconds: f64,
}

impl ExperimentStats {
    /// Scores all results. The images are those of the `first` cache.
    pub(super) fn of(scoring: &Scoring, first: &LoadedCache, work: WorkDone) -> Self {
        let plan = scoring.plan;
        let rows = first.plain(0);
        let with_switches = plan.conditions.iter().filter(|condition| !condition.switches.is_empty());
        Self {
            title: plan.title.clone(),
            images: [&rows.train, &rows.validation, &rows.test].map(|part| part.keys.len()),
            classes: first.set.classes().len(),
            seeds: plan.seeds,
            resplits: plan.resplits,
            conditions: plan.conditions.iter().map(|condition| scoring.condition(condition)).collect(),
            effects: plan.switches.iter().chain(with_switches).map(|one| scoring.effect(one)).collect(),
            baselines: scoring.baselines(),
            refused: work.caches.first().map(|cache| cache.refused.clone()).unwrap_or_default(),
            caches: work.caches,
            published_minutes: plan.published_minutes,
            heads: scoring.fits.heads(),
            fit_seconds: work.fit_seconds,
            baseline_seconds: work.baseline_seconds,
            write_seconds: work.write_seconds,
            seconds: work.seconds,
            runs: work.runs,
        }
    }
}
