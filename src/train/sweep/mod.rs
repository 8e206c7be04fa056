//! Fits many heads: all combinations of caches, settings, seeds, feature sets and splits. Each head is the same, bit
//! for bit, as the one that `train` makes with its settings. All heads of one feature set and split advance together
//! through each batch, so features are read from memory once for all of them.

mod config;
mod grid;
mod group_fit;
mod results;
mod settings;

pub use config::{Select, SweepConfig};
pub use results::{HeadResult, LayerAccuracy, NestedAccuracy};
pub use settings::SettingResult;

use crate::error::{Error, Kind, Result};
use crate::head::{SolverConfig, StopOn};
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use crate::run::SamePictures;
use crate::train::penalty::has_enough_validation;
use crate::train::warm_start::WarmStart;
use grid::{CacheGroups, Group};
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
    /// Each layer over the folds within the train images, the most accurate one first; empty for one cache, or where the
    /// validation images choose.
    pub layers: Vec<LayerAccuracy>,
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
/// [`Kind::Usage`] for no cache or settings out of range or given twice, [`Kind::Input`] when there are fewer than two classes, or neither
/// validation images nor two train images of each class, [`Kind::Cache`] when features are missing or damaged or the caches have different images, [`Kind::Run`] when a run cannot be written,
/// `init` does not fit, or every head failed.
pub fn sweep(config: &SweepConfig, monitor: &dyn Monitor) -> Result<SweepStats> {
    let settings = grid::settings(config)?;
    let threads = parallel::granted(config.threads, monitor);
    let opening = Instant::now();
    let caches = grid::open(config, threads, monitor)?;
    grid::check_names(config, &caches, &settings)?;
    let warm_starts = warm_starts(config, &caches)?;
    let selects_by_folds = selects_by_folds(config, &caches, &settings, monitor);
    let groups: usize = caches.iter().map(|cache| cache.groups.len()).sum();
    let epochs = groups * settings.len() * epochs(config);
    let task = monitor.task("fitting heads", Some(epochs as u64), Unit::Epochs);
    let mut read_seconds = opening.elapsed().as_secs_f64();
    let mut results = Vec::new();
    // One cache after another: the features of one alone are in memory.
    for (CacheGroups { set, groups }, warm_start) in caches.iter().zip(&warm_starts) {
        let reading = Instant::now();
        let table = set.load(groups.iter().map(|group| &group.splits))?;
        read_seconds += reading.elapsed().as_secs_f64();
        let jobs = config.jobs.clamp(1, threads.min(groups.len()).max(1));
        let fit = GroupFit {
            config,
            set,
            table: &table,
            warm_start: warm_start.as_ref(),
            selects_by_folds,
            threads: threads / jobs,
            task: &*task,
        };
        results.extend(in_parallel(jobs, groups, |group: &Group| fit.run(group, &settings))?);
    }
    drop(task);
    report_same_pictures(&results, monitor);
    let stats = stats(config, &caches, results, selected_by(selects_by_folds, &caches), read_seconds);
    report_heads(&stats.heads, config, monitor);
    if stats.heads.iter().all(|head| head.failed.is_some()) {
        return Err(Error::new(Kind::Run, "no head could be fitted")
            .help("try a smaller `lr`; if that does not help, verify the cache"));
    }
    Ok(stats)
}

/// Opens the run to start from, for each cache.
fn warm_starts(config: &SweepConfig, caches: &[CacheGroups]) -> Result<Vec<Option<WarmStart>>> {
    let open = |CacheGroups { set, groups }: &CacheGroups| {
        let Some(init) = &config.init else { return Ok(None) };
        let warm_start = WarmStart::open(init, set)?;
        groups.iter().try_for_each(|group| warm_start.check(&group.splits))?;
        Ok(Some(warm_start))
    };
    caches.iter().map(open).collect()
}

/// Steps of progress of one head.
fn epochs(config: &SweepConfig) -> usize {
    match &config.base {
        SolverConfig::Adam(base) => base.epochs,
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => 1,
    }
}

/// What decides between heads.
fn best_by(config: &SweepConfig) -> StopOn {
    match &config.base {
        SolverConfig::Adam(base) => base.stop_on,
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => StopOn::Loss,
    }
}

fn stats(
    config: &SweepConfig,
    caches: &[CacheGroups],
    results: Vec<GroupResult>,
    selected_by: Select,
    read_seconds: f64,
) -> SweepStats {
    let stop_on = best_by(config);
    let layers: Vec<(&str, usize)> = caches
        .iter()
        .map(|CacheGroups { set, groups }| (groups[0].layer.as_str(), set.spec().width))
        .collect();
    let sum = |seconds: fn(&GroupResult) -> f64| results.iter().map(seconds).sum();
    let (seconds, write_seconds) = (sum(|group| group.fit_seconds), sum(|group| group.write_seconds));
    let heads: Vec<HeadResult> = results.into_iter().flat_map(|group| group.heads).collect();
    SweepStats {
        best: settings::best(&heads, stop_on),
        best_by: stop_on,
        selected_by,
        nested: results::nested(&heads, stop_on),
        layers: results::layers(&heads, &layers, stop_on),
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

fn selected_by(selects_by_folds: bool, caches: &[CacheGroups]) -> Select {
    let has_validation = all_groups(caches).all(|group| !group.splits.validation.keys.is_empty());
    match selects_by_folds || !has_validation {
        true => Select::Folds,
        false => Select::Validation,
    }
}

fn all_groups(caches: &[CacheGroups]) -> impl Iterator<Item = &Group> {
    caches.iter().flat_map(|cache| &cache.groups)
}

/// Whether folds within the train images choose the best head. Reports a choice that the caller did not make, and warns where
/// so few validation images choose that the best head is largely chance.
fn selects_by_folds(
    config: &SweepConfig,
    caches: &[CacheGroups],
    settings: &[SolverConfig],
    monitor: &dyn Monitor,
) -> bool {
    let classes = caches[0].set.classes().len();
    let has_few = |group: &Group| {
        !group.splits.validation.keys.is_empty() && !has_enough_validation(&group.splits, classes)
    };
    let has_folds = |group: &Group| group.splits.train.images_per_class(classes).into_iter().min() >= Some(2);
    // Seeds are no settings: the best of them is chance anyway.
    let is_compared = config.variants.len() > 1 || config.l2.len() > 1 || config.lr.len() > 1;
    let few = all_groups(caches).any(has_few);
    match config.select_by {
        Select::Folds => true,
        // Layers are compared fold by fold.
        Select::Automatic if caches.len() > 1 && all_groups(caches).all(has_folds) => true,
        Select::Automatic if few && is_compared && all_groups(caches).all(has_folds) => {
            monitor.note(
                "a class has fewer than 20 validation images, too few to choose settings by: folds within the train images \
                 choose them (`select_by` validation does without)",
            );
            true
        }
        Select::Automatic | Select::Validation => {
            if few && settings.len() * config.variants.len() * caches.len() > 1 {
                monitor.warn(
                    "a class has fewer than 20 validation images, too few to choose the best head by: `select_by` folds chooses it \
                     by folds within the train images",
                );
            }
            false
        }
    }
}
