//! Fits many heads to one cache: all combinations of settings, seeds, feature sets and splits. Each head is the same, bit
//! for bit, as the one that `train` makes with its settings. All heads of one feature set and split advance together
//! through each batch, so features are read from memory once for all of them.

mod config;
mod grid;
mod group_fit;
mod results;

pub use config::SweepConfig;
pub use results::{HeadResult, PooledAccuracy, SettingResult};

use crate::error::{Error, Kind, Result};
use crate::head::{SolverConfig, StopOn};
use crate::io::fs;
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use crate::train::TrainingSet;
use crate::train::penalty::ENOUGH;
use crate::train::warm_start::WarmStart;
use grid::Group;
use group_fit::{GroupFit, GroupResult};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Result of [`sweep`].
#[derive(Debug, Clone, Serialize)]
pub struct SweepStats {
    /// The run of the head with the best validation score.
    pub best: PathBuf,
    /// Each setting over its seeds and splits, best validation score first.
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
    let epochs = match &config.base {
        SolverConfig::Adam(base) => base.epochs,
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => 1,
    };
    let epochs = groups.len() * settings.len() * epochs;
    let stop_on = match &config.base {
        SolverConfig::Adam(base) => base.stop_on,
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => StopOn::Loss,
    };
    warn_of_few_validation_images(config, &groups, settings.len(), &set, monitor);
    let task = monitor.task("fitting heads", Some(epochs as u64), Unit::Epochs);
    let jobs = config.jobs.clamp(1, threads.min(groups.len()).max(1));
    let fit =
        GroupFit { config, set: &set, table: &table, warm_start, threads: threads / jobs, task: &*task };
    let results = in_parallel(jobs, &groups, |group: &Group| fit.run(group, &settings))?;
    drop(task);
    let sum = |seconds: fn(&GroupResult) -> f64| results.iter().map(seconds).sum();
    let (seconds, write_seconds) = (sum(|group| group.fit_seconds), sum(|group| group.write_seconds));
    let heads: Vec<HeadResult> = results.into_iter().flat_map(|group| group.heads).collect();
    for head in &heads {
        if let Some(reason) = &head.failed {
            monitor.warn(&format!("{}: {reason}", head.run.display()));
        }
    }
    let best = results::best(&heads, stop_on).ok_or_else(|| {
        Error::new(Kind::Run, "no head could be fitted")
            .help("try a smaller `lr`; if that does not help, verify the cache")
    })?;
    let settings = results::over_repeats(&heads, stop_on);
    Ok(SweepStats { best, settings, heads, seconds, read_seconds, write_seconds })
}

/// Warns where settings are compared by so few validation images that the best of them is largely chance.
fn warn_of_few_validation_images(
    config: &SweepConfig,
    groups: &[Group],
    settings: usize,
    set: &TrainingSet,
    monitor: &dyn Monitor,
) {
    let classes = set.classes().len();
    let least = |group: &Group| group.splits.validation.images_per_class(classes).into_iter().min();
    let fewest = groups.iter().filter_map(least).filter(|&images| images > 0).min();
    let is_compared = settings > 1 || config.variants.len() > 1;
    if let Some(fewest) = fewest.filter(|&images| is_compared && images < ENOUGH && !config.select_folds) {
        monitor.warn(&format!(
            "a class has {fewest} validation images, too few to choose the best head by: `select_folds` folds chooses it by folds \
             within the train images"
        ));
    }
}
