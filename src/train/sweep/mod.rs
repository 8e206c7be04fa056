//! Fits many heads to one cache: all combinations of settings, seeds, feature sets and splits. Each head is the same, bit
//! for bit, as the one that `train` makes with its settings. All heads of one feature set and split advance together
//! through each batch, so features are read from memory once for all of them.

mod config;
mod grid;
mod group_fit;
mod results;
mod settings;

pub use config::{Select, SweepConfig};
pub use results::{HeadResult, NestedAccuracy};
pub use settings::SettingResult;

use crate::error::{Error, Kind, Result};
use crate::head::{SolverConfig, StopOn};
use crate::io::fs;
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use crate::run::SamePictures;
use crate::train::TrainingSet;
use crate::train::penalty::has_enough_validation;
use crate::train::warm_start::WarmStart;
use grid::Group;
use group_fit::{GroupFit, GroupResult};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Result of [`sweep`].
#[derive(Debug, Clone, Serialize)]
pub struct SweepStats {
    /// The run of the head with the best validation score. `None` where heads have different splits, whose images cannot be
    /// compared head by head; the first of `settings` is then the best on average over the same splits.
    pub best: Option<PathBuf>,
    /// What `best` and the order of `settings` are by.
    pub best_by: StopOn,
    /// What chose it: the validation images, or folds within the train images.
    pub selected_by: Select,
    /// For each split, the accuracy of the choice on folds that had no part in it; empty where the validation images choose.
    pub nested: Vec<NestedAccuracy>,
    /// Each setting over its seeds and splits, best mean validation score first.
    pub settings: Vec<SettingResult>,
    /// Each head, in the order of the configuration.
    pub heads: Vec<HeadResult>,
    /// Wall time of all fits in seconds, without reading the cache and writing runs.
    pub seconds: f64,
    /// Wall time of reading and verifying the features, in seconds.
    pub read_seconds: f64,
    /// Wall time of predicting and writing all runs, in seconds.
    pub write_seconds: f64,
}

/// Fits all heads and writes their runs. A head whose loss is not a number is reported among the others.
///
/// # Errors
/// [`Kind::Usage`] for settings out of range or given twice, [`Kind::Input`] when there are fewer than two classes, or neither
/// validation images nor two train images of each class, [`Kind::Cache`] when features are missing or damaged, [`Kind::Run`] when a run cannot be written,
/// `init` does not fit, or every head failed.
pub fn sweep(config: &SweepConfig, monitor: &dyn Monitor) -> Result<SweepStats> {
    let settings = grid::settings(config)?;
    // The runs record this path.
    fs::require_utf8(&config.cache)?;
    let threads = parallel::granted(config.threads, monitor);
    let reading = Instant::now();
    let set = TrainingSet::open_with_threads(&config.cache, threads)?;
    set.warn_of_unnamed_specs(monitor)?;
    let groups = grid::groups(config, &set, monitor)?;
    grid::check_names(config, &groups, &settings)?;
    let warm_start = config.init.as_deref().map(|init| WarmStart::open(init, &set)).transpose()?;
    let warm_start = warm_start.as_ref();
    if let Some(warm_start) = warm_start {
        groups.iter().try_for_each(|group| warm_start.check(&group.splits))?;
    }
    let table = set.load(groups.iter().map(|group| &group.splits))?;
    let read_seconds = reading.elapsed().as_secs_f64();
    let (epochs, stop_on) = match &config.base {
        SolverConfig::Adam(base) => (base.epochs, base.stop_on),
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => (1, StopOn::Loss),
    };
    let epochs = groups.len() * settings.len() * epochs;
    let selects_by_folds = selects_by_folds(config, &groups, &settings, &set, monitor);
    let task = monitor.task("fitting heads", Some(epochs as u64), Unit::Epochs);
    let jobs = config.jobs.clamp(1, threads.min(groups.len()).max(1));
    let fit = GroupFit {
        config,
        set: &set,
        table: &table,
        warm_start,
        selects_by_folds,
        threads: threads / jobs,
        task: &*task,
    };
    let results = in_parallel(jobs, &groups, |group: &Group| fit.run(group, &settings))?;
    drop(task);
    report_same_pictures(&results, monitor);
    let selected_by = selected_by(selects_by_folds, &groups);
    let stats = stats(results, stop_on, selected_by, read_seconds);
    report_heads(&stats.heads, config, monitor);
    if stats.heads.iter().all(|head| head.failed.is_some()) {
        return Err(Error::new(Kind::Run, "no head could be fitted")
            .help("try a smaller `lr`; if that does not help, verify the cache"));
    }
    Ok(stats)
}

fn stats(results: Vec<GroupResult>, stop_on: StopOn, selected_by: Select, read_seconds: f64) -> SweepStats {
    let sum = |seconds: fn(&GroupResult) -> f64| results.iter().map(seconds).sum();
    let (seconds, write_seconds) = (sum(|group| group.fit_seconds), sum(|group| group.write_seconds));
    let heads: Vec<HeadResult> = results.into_iter().flat_map(|group| group.heads).collect();
    SweepStats {
        best: settings::best(&heads, stop_on),
        best_by: stop_on,
        selected_by,
        nested: results::nested(&heads, stop_on),
        settings: settings::over_heads(&heads, stop_on),
        heads,
        seconds,
        read_seconds,
        write_seconds,
    }
}

/// Warns of heads that failed, and reports best epochs near the last one.
fn report_heads(heads: &[HeadResult], config: &SweepConfig, monitor: &dyn Monitor) {
    for head in heads {
        if let Some(reason) = &head.failed {
            monitor.warn(&format!("{}: {reason}", head.run.display()));
        }
    }
    let near_the_limit = heads.iter().filter(|head| head.is_near(&config.base)).count();
    if near_the_limit > 0 {
        monitor.note(&format!(
            "the best epoch of {near_the_limit} of {} heads is one of the last: more `epochs`, or `epochs` auto, may help",
            heads.len()
        ));
    }
}

/// Warns where the same picture is in two splits, which raises the accuracy.
fn report_same_pictures(results: &[GroupResult], monitor: &dyn Monitor) {
    let most = |of: fn(&GroupResult) -> usize| results.iter().map(of).max().unwrap_or(0);
    let same = SamePictures {
        validation: most(|group| group.same_pictures.validation),
        test: most(|group| group.same_pictures.test),
    };
    if let Some(remark) = same.remark(if results.len() > 1 { "up to " } else { "" }) {
        monitor.warn(&remark);
    }
}

fn selected_by(selects_by_folds: bool, groups: &[Group]) -> Select {
    let has_validation = groups.iter().all(|group| !group.splits.validation.keys.is_empty());
    match selects_by_folds || !has_validation {
        true => Select::Folds,
        false => Select::Validation,
    }
}

/// Whether folds within the train images choose the best head. Reports a choice that the caller did not make, and warns where
/// so few validation images choose that the best head is largely chance.
fn selects_by_folds(
    config: &SweepConfig,
    groups: &[Group],
    settings: &[SolverConfig],
    set: &TrainingSet,
    monitor: &dyn Monitor,
) -> bool {
    let classes = set.classes().len();
    let has_few = |group: &Group| {
        !group.splits.validation.keys.is_empty() && !has_enough_validation(&group.splits, classes)
    };
    let has_folds = |group: &Group| group.splits.train.images_per_class(classes).into_iter().min() >= Some(2);
    // Seeds are no settings: the best of them is chance anyway.
    let is_compared = config.variants.len() > 1 || config.l2.len() > 1 || config.lr.len() > 1;
    let few = groups.iter().any(has_few);
    match config.select_by {
        Select::Folds => true,
        Select::Automatic if few && is_compared && groups.iter().all(has_folds) => {
            monitor.note(
                "a class has fewer than 20 validation images, too few to choose settings by: folds within the train images \
                 choose them (`select_by` validation does without)",
            );
            true
        }
        Select::Automatic | Select::Validation => {
            if few && settings.len() * config.variants.len() > 1 {
                monitor.warn(
                    "a class has fewer than 20 validation images, too few to choose the best head by: `select_by` folds chooses it \
                     by folds within the train images",
                );
            }
            false
        }
    }
}
