//! Many heads at once: all settings, seeds, feature sets and splits that were asked for, each a run of its own and the
//! same, bit for bit, as `train` makes of its settings. All heads of one feature set and split advance together over
//! each batch, so that features are read once.

mod grid;
mod table;

pub use table::{Pooled, Setting, Tried};

use crate::dataset::Division;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::RejectionDistances;
use crate::head::{
    self, Epoch, FitConfig, FitParams, FitResult, Head, InMemoryRows, SharedInputs, SolverConfig,
    Standardizer,
};
use crate::monitor::{Monitor, Task, Unit};
use crate::run::{self, WeightHistograms};
use crate::threads::{self, in_parallel};
use crate::train::outcome::{self, Origin};
use crate::train::shelf::{Loaded, Plan, Shelf};
use crate::train::{job, trust, warm::Warm};
use grid::{Group, Name};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

/// What `sweep` was asked for. Lists hold every value to try; all combinations are fitted.
#[derive(Debug, Clone, Default)]
pub struct SweepConfig {
    /// The cache.
    pub cache: PathBuf,
    /// The folder in which each head gets a run.
    pub runs: PathBuf,
    /// Feature sets: families or exact variants; `None` takes every family that is complete.
    pub uses: Vec<Option<Vec<String>>>,
    /// Other splits than the cache's own (`None`).
    pub divisions: Vec<Option<Division>>,
    /// Learning rates.
    pub rates: Vec<f64>,
    /// Penalties.
    pub penalties: Vec<f64>,
    /// Seeds of first weights.
    pub seeds: Vec<u64>,
    /// All other settings. Its `shuffle_seed`, 0 if there is none, gives the one order of rows that the heads share.
    pub base: FitConfig,
    /// A run whose head is the start of each.
    pub init: Option<PathBuf>,
    /// Feature sets and splits that are worked on at the same time; 0 counts as 1.
    pub jobs: usize,
    /// At most so many threads are used, where they pay; 0 is one for each core. They change no bit of any head.
    pub threads: usize,
    /// The time to note, in seconds since 1970.
    pub time: u64,
}

/// What `sweep` did.
#[derive(Debug, Clone, Serialize)]
pub struct SweepStats {
    /// The run of the head that is the best on its validation rows.
    pub best: PathBuf,
    /// Each setting over its seeds and splits, the best on the validation rows first.
    pub settings: Vec<Setting>,
    /// Each head, in the order in which they were asked for.
    pub heads: Vec<Tried>,
    /// Wall time of all fits, reading the cache and writing the runs apart.
    pub seconds: f64,
    /// Wall time of reading and verifying the features.
    pub read_seconds: f64,
    /// Wall time of predicting and writing all runs.
    pub write_seconds: f64,
}

/// Fits all heads and writes their runs.
///
/// # Errors
/// [`Kind::Usage`] for settings out of range or asked for twice, [`Kind::Cache`] when features are missing or damaged,
/// [`Kind::Run`] when a run cannot be written, `init` does not fit, or no head could be fitted. A head whose loss is not a
/// number is told among the others.
pub fn sweep(config: &SweepConfig, monitor: &dyn Monitor) -> Result<SweepStats> {
    let settings = grid::settings(config)?;
    let threads = threads::number(config.threads);
    let reading = Instant::now();
    let shelf = Shelf::open(&config.cache, threads)?;
    let (plans, groups) = grid::groups(config, &shelf, monitor)?;
    grid::check_names(config, &groups, &settings)?;
    let warm = config.init.as_ref().map(|init| Warm::read(init, &shelf)).transpose()?;
    if let Some((warm, init)) = warm.as_ref().zip(config.init.as_ref()) {
        plans.iter().try_for_each(|plan| warm.check(init, plan))?;
    }
    let loaded = shelf.load(&plans, threads)?;
    let read_seconds = reading.elapsed().as_secs_f64();
    let heads = groups.len() * settings.len();
    let task = monitor.task("fitting heads", Some((heads * config.base.epochs) as u64), Unit::Epochs);
    let jobs = config.jobs.clamp(1, threads.min(groups.len()).max(1));
    let bench =
        Bench { config, shelf: &shelf, loaded: &loaded, warm: warm.as_ref(), threads: threads / jobs };
    let all = in_parallel(jobs, &groups, |group| bench.work(group, &plans[group.plan], &settings, &*task))?;
    drop(task);
    let tried: Vec<Tried> = all.iter().flat_map(|done| done.tried.iter().cloned()).collect();
    for head in &tried {
        if let Some(reason) = &head.failed {
            monitor.warn(&format!("{}: {reason}", head.run.display()));
        }
    }
    let best = table::best(&tried, config.base.stop_on).ok_or_else(|| {
        Error::new(Kind::Run, "no head could be fitted: no loss is a number")
            .help("try a smaller --lr; if that does not help, run `headstart cache verify CACHE`")
    })?;
    let sum = |of: fn(&Done) -> f64| all.iter().map(of).sum();
    Ok(SweepStats {
        best,
        settings: table::settings(&tried, config.base.stop_on),
        heads: tried,
        seconds: sum(|done| done.fit_seconds),
        read_seconds,
        write_seconds: sum(|done| done.write_seconds),
    })
}

/// What all groups of a sweep share.
struct Bench<'a> {
    config: &'a SweepConfig,
    shelf: &'a Shelf,
    loaded: &'a Loaded,
    warm: Option<&'a Warm>,
    threads: usize,
}

/// What came of a group.
struct Done {
    tried: Vec<Tried>,
    fit_seconds: f64,
    write_seconds: f64,
}

impl Bench<'_> {
    /// Fits one head of each setting to a plan, and writes their runs.
    fn work(&self, group: &Group, plan: &Plan, settings: &[FitParams], task: &dyn Task) -> Result<Done> {
        let started = Instant::now();
        let train = self.loaded.examples(&plan.train);
        let validation = self.loaded.examples(&plan.validation);
        let train = self.loaded.rows(&train);
        let base = &self.config.base;
        let standardizer = base.standardize.then(|| Standardizer::fit(train));
        let shared = SharedInputs {
            width: self.shelf.spec().width,
            validation: Some(self.loaded.rows(&validation)),
            standardizer: standardizer.as_ref(),
            threads: self.threads,
        };
        let jobs = settings.iter().map(|params| job(self.shelf, plan, self.warm, params.clone()));
        let jobs = jobs.collect::<Result<Vec<_>>>()?;
        let mut source = InMemoryRows::new(train, settings[0].settings());
        let mut snapshots = vec![Snapshots::default(); jobs.len()];
        let on_epoch = &mut |number: usize, epoch: &Epoch, head: &Head| {
            task.advance(1);
            snapshots[number].record(epoch.epoch, head);
        };
        let fitted = head::fit_many(jobs, &mut source, shared, on_epoch)?;
        let fit_seconds = started.elapsed().as_secs_f64();
        let writing = Instant::now();
        let measured = trust::measured(self.shelf, plan, self.loaded);
        let heads: Vec<_> = fitted.iter().zip(&snapshots).zip(settings).collect();
        let tried = in_parallel(self.threads, &heads, |((fitted, snapshots), params)| {
            let name = Name::of(self.config, group, params.settings());
            self.write(name, (plan, &measured), (fitted, snapshots, params.settings()), fit_seconds)
        })?;
        Ok(Done { tried, fit_seconds, write_seconds: writing.elapsed().as_secs_f64() })
    }

    /// Writes the run of one head.
    fn write(
        &self,
        name: Name,
        (plan, measured): (&Plan, &RejectionDistances),
        (fitted, snapshots, settings): (&Result<FitResult>, &Snapshots, &FitConfig),
        seconds: f64,
    ) -> Result<Tried> {
        let run = name.path(self.config);
        let mut tried = Tried::new(&name, run.clone(), plan.division, settings);
        let fitted = match fitted {
            Ok(fitted) => fitted,
            Err(error) => return Ok(Tried { failed: Some(error.to_string()), ..tried }),
        };
        let mut predictions = Vec::new();
        for (part, split) in plan.held_out() {
            let rows = self.loaded.examples(part);
            predictions.extend(outcome::predict(
                &fitted.head,
                self.shelf,
                part,
                self.loaded.rows(&rows),
                split,
            ));
        }
        tried.reached(fitted, &predictions);
        let none = HashSet::new();
        let origin = Origin {
            config: SolverConfig::Adam(settings.clone()),
            init: self.config.init.as_ref(),
            seen: self.warm.map_or(&none, |warm| &warm.seen),
            memory: None,
            time: self.config.time,
            seconds,
        };
        let predictions = outcome::sorted(predictions);
        outcome::write(&run, self.shelf, plan, fitted, (&predictions, measured, snapshots), origin)?;
        Ok(tried)
    }
}

/// Checks that a folder may hold runs: nothing there, or a folder that is no run itself.
fn check_folder(runs: &std::path::Path) -> Result<()> {
    let refuse =
        |message: &str| Err(Error::new(Kind::Run, message).at(runs).help("choose a new folder for the runs"));
    match runs.exists() {
        true if !runs.is_dir() => refuse("the runs cannot be written here: it is a file"),
        true if run::read_record(runs).is_ok() => refuse("the folder is a run itself"),
        _ => Ok(()),
    }
}
