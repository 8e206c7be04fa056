//! Fits all heads of an experiment. Each is the same as the one that `train` makes with its seed. Heads of one fit differ in
//! their seeds alone and advance together where they share their order of rows. Fits that do not wait for one another are
//! shared out among threads.

use super::answers::correct;
use super::caches::LoadedCache;
use super::names::within;
use super::plan::{ExperimentPlan, PlannedFit};
use crate::error::{Error, Kind, Result};
use crate::head::{
    Convergence, Epoch, FitConfig, FitJob, FitResult, Head, LbfgsResult, Precision, SolverConfig,
};
use crate::math::parallel::in_parallel;
use crate::monitor::{Monitor, Task, Unit};
use crate::run::WeightHistograms;
use crate::train::fit_context::{AdamFit, FitContext};
use crate::train::single_fit::warn_unless_converged;
use std::time::Instant;

/// Result of a fit on one split.
#[derive(Debug)]
pub(super) struct SplitFit {
    /// The heads, in the order of their seeds.
    pub fitted: Vec<FitResult>,
    /// For each head, whether it answers each test image correctly, in the order of keys.
    pub correct: Vec<Vec<bool>>,
    /// Of the first head, for its run.
    pub histograms: WeightHistograms,
    /// How near the optimum L-BFGS came; `None` for Adam.
    pub convergence: Option<Convergence>,
    /// Wall time of all heads together, in seconds.
    pub seconds: f64,
}

/// Results of all fits on all splits: `[fit][split]`.
#[derive(Debug)]
pub(super) struct FitResults(Vec<Vec<SplitFit>>);

/// What all fits of an experiment share.
pub(super) struct FitRunner<'a> {
    pub plan: &'a ExperimentPlan,
    pub caches: &'a [LoadedCache],
    /// Number of splits: those of the caches, then the others.
    pub splits: usize,
    pub threads: usize,
    pub monitor: &'a dyn Monitor,
}

/// Positions of a fit and of a split.
#[derive(Debug, Clone, Copy)]
struct Work {
    fit: usize,
    split: usize,
}

/// Heads of one fit on one split.
#[derive(Debug)]
struct Heads {
    fitted: Vec<FitResult>,
    histograms: WeightHistograms,
    convergence: Option<Convergence>,
}

impl FitResults {
    /// Result of a fit on the splits of the caches.
    pub fn on_own_splits(&self, fit: usize) -> &SplitFit {
        &self.0[fit][0]
    }

    /// Results of a fit on each other split.
    pub fn on_other_splits(&self, fit: usize) -> &[SplitFit] {
        &self.0[fit][1..]
    }

    /// Wall time of a fit on all splits, in seconds.
    pub fn seconds(&self, fit: usize) -> f64 {
        self.0[fit].iter().map(|result| result.seconds).sum()
    }

    /// Number of heads.
    pub fn heads(&self) -> usize {
        self.0.iter().flatten().map(|result| result.fitted.len()).sum()
    }
}

impl FitRunner<'_> {
    /// Fits all heads.
    ///
    /// # Errors
    /// [`Kind::Run`] when a loss is not a number, [`Kind::Interrupted`] when the monitor was interrupted. The message names
    /// the run.
    pub fn run(&self) -> Result<FitResults> {
        let ExperimentPlan { fits, seeds, resplits, .. } = self.plan;
        let epochs = |fit: &PlannedFit| match &fit.spec.solver {
            SolverConfig::Adam(config) => config.epochs,
            SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => 1,
        };
        let epochs: usize = fits.iter().map(|fit| epochs(fit) * (seeds + resplits)).sum();
        let task = self.monitor.task("fitting heads", Some(epochs as u64), Unit::Epochs);
        let mut all: Vec<Vec<Option<SplitFit>>> =
            fits.iter().map(|_| (0..self.splits).map(|_| None).collect()).collect();
        let mut waiting: Vec<usize> = (0..fits.len()).collect();
        while !waiting.is_empty() {
            let is_ready = |&fit: &usize| fits[fit].spec.init.is_none_or(|init| all[init][0].is_some());
            let (ready, later): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|fit| is_ready(fit));
            // The splits of the caches have most heads. They come first, so that no thread is left with one at the end.
            let work: Vec<Work> = (0..self.splits)
                .flat_map(|split| ready.iter().map(move |&fit| Work { fit, split }))
                .collect();
            let results = in_parallel(self.threads, &work, |work| {
                let start = fits[work.fit].spec.init.and_then(|init| all[init][work.split].as_ref());
                self.fit(*work, start, &*task)
            })?;
            for (Work { fit, split }, result) in work.into_iter().zip(results) {
                all[fit][split] = Some(result);
            }
            waiting = later;
        }
        Ok(FitResults(all.into_iter().map(|fit| fit.into_iter().flatten().collect()).collect()))
    }

    /// Fits the heads of one fit on one split, from those of `start` or from fresh weights.
    fn fit(&self, work: Work, start: Option<&SplitFit>, task: &dyn Task) -> Result<SplitFit> {
        check_interrupted(self.monitor)?;
        let started = Instant::now();
        let PlannedFit { spec, owner } = &self.plan.fits[work.fit];
        let context = self.caches[spec.cache].context(&spec.variants, work.split, 1);
        let heads = match spec.solver.clone() {
            SolverConfig::Lbfgs(config) => config
                .check()
                .and_then(|params| self.optimum(context.lbfgs(&params, None, Precision::Optimum)?, task)),
            SolverConfig::Linfa(config) => {
                config.check().and_then(|params| self.optimum(context.linfa(params)?, task))
            }
            SolverConfig::Adam(config) => {
                let heads = if work.split == 0 { self.plan.seeds } else { 1 };
                let seeds = (0..heads as u64).map(|i| spec.first_seed + i).collect();
                adam(context, config, seeds, start, task)
            }
        };
        let Heads { fitted, histograms, convergence } = heads.map_err(|e| match context.splits.resplit {
            Some(resplit) => within(&format!("{owner}, {resplit}"), e),
            None => within(owner, e),
        })?;
        let test = context.table.select(&context.splits.test);
        let correct = fitted.iter().map(|fitted| correct(&fitted.head, test.rows())).collect();
        Ok(SplitFit { fitted, correct, histograms, convergence, seconds: started.elapsed().as_secs_f64() })
    }

    /// The one optimum, whatever the seeds.
    fn optimum(&self, found: LbfgsResult, task: &dyn Task) -> Result<Heads> {
        warn_unless_converged(&found.convergence, self.monitor);
        task.advance(1);
        let (fitted, convergence) = (vec![found.fitted], Some(found.convergence));
        Ok(Heads { fitted, histograms: WeightHistograms::default(), convergence })
    }
}

/// Stops the work when the monitor was interrupted.
///
/// # Errors
/// [`Kind::Interrupted`].
pub(super) fn check_interrupted(monitor: &dyn Monitor) -> Result<()> {
    match monitor.is_interrupted() {
        true => Err(Error::new(Kind::Interrupted, "interrupted: all features are kept, no heads are")
            .help("run the same command again: it continues from there")),
        false => Ok(()),
    }
}

/// One head for each of `seeds`: together where they share their order of rows, else one by one.
fn adam(
    context: FitContext,
    config: FitConfig,
    seeds: Vec<u64>,
    start: Option<&SplitFit>,
    task: &dyn Task,
) -> Result<Heads> {
    let job = |(i, seed): (usize, u64)| {
        let params = FitConfig { seed, ..config.clone() }.check()?;
        // L-BFGS has one head, whatever the number of seeds.
        let start = start.map(|start| start.fitted[i.min(start.fitted.len() - 1)].head.clone());
        context.job(start, params)
    };
    let jobs = seeds.into_iter().enumerate().map(job).collect::<Result<Vec<_>>>()?;
    let share_order = !config.shuffle || config.shuffle_seed.is_some();
    let groups: Vec<Vec<FitJob>> = match share_order {
        true => vec![jobs],
        false => jobs.into_iter().map(|job| vec![job]).collect(),
    };
    fit_groups(&context.adam(config.standardize), groups, task)
}

/// Fits groups of heads one after another. Histograms are those of the first head.
fn fit_groups(fit: &AdamFit, groups: Vec<Vec<FitJob>>, task: &dyn Task) -> Result<Heads> {
    let mut heads = Heads { fitted: Vec::new(), histograms: WeightHistograms::default(), convergence: None };
    for group in groups {
        let is_first_group = heads.fitted.is_empty();
        let histograms = &mut heads.histograms;
        let on_epoch = &mut |number: usize, epoch: &Epoch, head: &Head| {
            task.advance(1);
            if is_first_group && number == 0 {
                histograms.record(epoch.epoch, head);
            }
        };
        let fitted = fit.fit(group, on_epoch)?;
        heads.fitted.extend(fitted.into_iter().collect::<Result<Vec<_>>>()?);
    }
    Ok(heads)
}
