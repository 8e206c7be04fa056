//! The best head by one call: tries feature sets, standardization and penalties over repeated folds within the train images,
//! and fits the chosen settings once more to all train images, exactly as `train` does with them.

mod config;
mod features;
mod search;

pub use config::AutoConfig;

use super::inner_folds::InnerFolds;
use super::stats::TrainStats;
use super::training_set::TrainingSet;
use super::{FeatureTable, TrainConfig, train_selected};
use crate::error::Result;
use crate::head::SolverConfig;
use crate::math::parallel;
use crate::monitor::{Monitor, Unit};
use crate::run::{self, Selection};
use features::{feature_sets, paths};
use search::{Choice, Search};
use std::time::{Duration, Instant};

/// Chooses the settings of a head, fits it to all train images, and writes a run.
///
/// # Errors
/// Those of [`train`](super::train), [`Kind::Input`](crate::error::Kind::Input) when a class has fewer than two train images,
/// [`Kind::Cache`](crate::error::Kind::Cache) when the caches have not the same images in the same splits, and
/// [`Kind::Run`](crate::error::Kind::Run) when the budget is over before any candidate was fitted.
pub fn auto(config: &AutoConfig, monitor: &dyn Monitor) -> Result<TrainStats> {
    config.check()?;
    run::check_target(&config.run)?;
    let threads = parallel::granted(config.threads, monitor);
    let mut sets: Vec<TrainingSet> = Vec::with_capacity(config.caches.len());
    for cache in &config.caches {
        let set = TrainingSet::open_with_threads(cache, threads)?;
        set.warn_of_unnamed_specs(monitor)?;
        sets.push(set);
    }
    let features = feature_sets(config, &sets, monitor)?;
    let load = |(cache, set): (usize, &TrainingSet)| {
        let own = features.iter().filter(move |features| features.cache == cache);
        set.load(own.map(|features| &features.splits))
    };
    let tables: Vec<FeatureTable> = sets.iter().enumerate().map(load).collect::<Result<_>>()?;
    let task = monitor.task("fitting candidates", None, Unit::Fits);
    let started = Instant::now();
    let search = Search {
        sets: &sets,
        tables: &tables,
        base: &config.base,
        repeats: features.first().map_or(1, |first| InnerFolds::repeats(&first.splits)),
        threads,
        budget: config.budget,
        started,
        until: config.budget.and_then(|seconds| Some(started + Duration::try_from_secs_f64(seconds).ok()?)),
        task: &*task,
    };
    let Choice { path, solver, selection } = search.run(&paths(config, &features))?;
    drop(task);
    note(&selection, &solver, monitor);
    let chosen = TrainConfig {
        cache: config.caches[path.features.cache].clone(),
        run: config.run.clone(),
        variants: Some(path.features.variants.clone()),
        solver,
        resplit: config.resplit,
        threads: config.threads,
        time: config.time,
        ..TrainConfig::default()
    };
    drop(tables);
    train_selected(&chosen, Some(selection), monitor)
}

/// Says what was left out, and whether the edge of the path was chosen.
fn note(selection: &Selection, solver: &SolverConfig, monitor: &dyn Monitor) {
    let path = super::penalty::path(solver);
    let edge = [path.first(), path.last()].map(|edge| edge.map(SolverConfig::l2));
    if edge.contains(&Some(solver.l2())) {
        monitor.note(&format!(
            "l2 {} is the first or last of those that are tried: one beyond it may be better",
            solver.l2()
        ));
    }
    let is_over = selection.budget.filter(|budget| selection.seconds >= *budget);
    let chosen = &selection.tried[selection.chosen];
    let is_last =
        selection.tried.get(selection.chosen + 1).is_none_or(|next| next.features != chosen.features);
    if is_over.is_some() && is_last {
        monitor.note("the time was over behind the chosen `l2`: a smaller one may be better");
    }
    if let Some(budget) = is_over {
        monitor.note(&format!(
            "the search took its `budget` of {budget} s; with more time or another number of threads it may choose otherwise"
        ));
    }
}
