//! All heads of an experiment. Each is what `train --seed` makes; heads of one fit differ in their seed alone, and those that
//! share their order of rows advance together. Fits that do not wait for one another are shared out among threads.

use super::caches::Opened;
use super::plan::{Fit, Plan};
use crate::error::{Error, Kind, Result};
use crate::head::{
    self, Epoch, FitConfig, FitJob, FitResult, Head, InMemoryRows, LabelledFeatures, SharedInputs,
    SolverConfig, SolverParams, Standardizer,
};
use crate::monitor::{Monitor, Task, Unit};
use crate::run::WeightHistograms;
use crate::threads::in_parallel;
use std::time::Instant;

/// What came of a fit on one split.
#[derive(Debug)]
pub(super) struct Done {
    /// In the order of their seeds.
    pub fitted: Vec<FitResult>,
    /// Of each head, whether it has each test image right, in the order of keys.
    pub right: Vec<Vec<bool>>,
    /// Of the first head, for its run.
    pub snapshots: WeightHistograms,
    /// Wall time of all its heads.
    pub seconds: f64,
}

/// Every fit on every split: `[fit][split]`.
pub(super) type All = Vec<Vec<Done>>;

/// What all fits share.
pub(super) struct Bench<'a> {
    pub plan: &'a Plan,
    pub caches: &'a [Opened],
    /// Splits: the caches' own, then the others.
    pub divisions: usize,
    pub threads: usize,
    pub monitor: &'a dyn Monitor,
}

impl Bench<'_> {
    /// Fits all heads.
    ///
    /// # Errors
    /// [`Kind::Run`] when a loss is not a number, [`Kind::Interrupted`] when the monitor was.
    pub fn fit(&self) -> Result<All> {
        let Plan { fits, seeds, resplits, .. } = self.plan;
        let most = |fit: &Fit| match &fit.solver {
            SolverConfig::Adam(config) => config.epochs,
            SolverConfig::Lbfgs(_) => 1,
        };
        let epochs: usize = fits.iter().map(|fit| most(fit) * (seeds + resplits)).sum();
        let task = self.monitor.task("fitting heads", Some(epochs as u64), Unit::Epochs);
        let mut all: Vec<Vec<Option<Done>>> =
            fits.iter().map(|_| (0..self.divisions).map(|_| None).collect()).collect();
        let mut waiting: Vec<usize> = (0..fits.len()).collect();
        while !waiting.is_empty() {
            let is_ready = |&fit: &usize| fits[fit].init.is_none_or(|init| all[init][0].is_some());
            let (ready, later): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|fit| is_ready(fit));
            // The splits with many heads first, so that no thread is left with one at the end.
            let work: Vec<(usize, usize)> = (0..self.divisions)
                .flat_map(|division| ready.iter().map(move |&fit| (fit, division)))
                .collect();
            let done = in_parallel(self.threads, &work, |&(fit, division)| {
                let start = fits[fit].init.and_then(|init| all[init][division].as_ref());
                self.one(&fits[fit], division, start, &*task)
            })?;
            for ((fit, division), done) in work.into_iter().zip(done) {
                all[fit][division] = Some(done);
            }
            waiting = later;
        }
        Ok(all.into_iter().map(|fit| fit.into_iter().flatten().collect()).collect())
    }

    /// The heads of one fit on one split.
    fn one(&self, fit: &Fit, division: usize, start: Option<&Done>, task: &dyn Task) -> Result<Done> {
        if self.monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted: all features are kept, no head is")
                .help("the same command goes on from there"));
        }
        let started = Instant::now();
        let opened = &self.caches[fit.cache];
        let rows = opened.rows(&fit.variants, division);
        let [train, validation, test] =
            [&rows.train, &rows.validation, &rows.test].map(|part| opened.loaded.examples(part));
        let [train, validation, test] =
            [&train, &validation, &test].map(|examples| opened.loaded.rows(examples));
        let heads = if division == 0 { self.plan.seeds } else { 1 };
        let mut snapshots = WeightHistograms::default();
        let fitted = match fit.solver.clone() {
            SolverConfig::Lbfgs(_) => vec![self.optimum(fit, opened, train, validation, task)?],
            SolverConfig::Adam(config) => {
                let counts = rows.train.counts(opened.shelf.classes.len());
                let class_weights = config.class_weights.per_class(&opened.shelf.classes, &counts)?;
                let job = |i: usize| {
                    let seed = fit.first_seed + i as u64;
                    let params = FitConfig { seed, ..config.clone() }.check()?;
                    // Of L-BFGS there is one head, whatever the seed.
                    let start = start.map(|done| done.fitted[i.min(done.fitted.len() - 1)].head.clone());
                    Ok(FitJob { start, params, class_weights: class_weights.clone() })
                };
                adam((0..heads).map(job).collect::<Result<_>>()?, train, validation, (task, &mut snapshots))?
            }
        };
        let right = fitted.iter().map(|fitted| right(&fitted.head, test)).collect();
        Ok(Done { fitted, right, snapshots, seconds: started.elapsed().as_secs_f64() })
    }

    fn optimum(
        &self,
        fit: &Fit,
        opened: &Opened,
        train: LabelledFeatures,
        validation: LabelledFeatures,
        task: &dyn Task,
    ) -> Result<FitResult> {
        let SolverParams::Lbfgs(params) = fit.solver.clone().check()? else {
            return Err(Error::new(Kind::Usage, "this solver looks for no optimum"));
        };
        let found = head::fit_lbfgs(opened.shelf.classes.len(), train, validation, params)?;
        task.advance(1);
        if !found.is_optimum() {
            let off = 100.0 * found.distance;
            self.monitor
                .warn(&format!("L-BFGS ended before the optimum: its weights may be off by {off:.0} %"));
        }
        Ok(found.fitted)
    }
}

/// Heads whose settings differ in their seeds alone: together where they share their order of rows, else one by one.
fn adam(
    jobs: Vec<FitJob>,
    train: LabelledFeatures,
    validation: LabelledFeatures,
    (task, snapshots): (&dyn Task, &mut Snapshots),
) -> Result<Vec<FitResult>> {
    let first = jobs[0].params.settings().clone();
    let standardizer = first.standardize.then(|| Standardizer::fit(train));
    let shared = SharedInputs {
        width: train.features.width(),
        validation: Some(validation),
        standardizer: standardizer.as_ref(),
        threads: 1,
    };
    let share_order = !first.shuffle || first.shuffle_seed.is_some();
    let groups: Vec<Vec<FitJob>> = match share_order {
        true => vec![jobs],
        false => jobs.into_iter().map(|job| vec![job]).collect(),
    };
    let mut all = Vec::new();
    for group in groups {
        let settings = group[0].params.settings().clone();
        let source = &mut InMemoryRows::new(train, &settings);
        let is_first = all.is_empty();
        let on_epoch = &mut |number: usize, epoch: &Epoch, head: &Head| {
            task.advance(1);
            if is_first && number == 0 {
                snapshots.record(epoch.epoch, head);
            }
        };
        let fitted = head::fit_many(group, source, shared, on_epoch)?;
        all.extend(fitted.into_iter().collect::<Result<Vec<_>>>()?);
    }
    Ok(all)
}

/// Whether a head has each row right.
pub(super) fn right(head: &Head, rows: LabelledFeatures) -> Vec<bool> {
    head.probabilities_of(rows)
        .predicted()
        .zip(rows.targets())
        .map(|(class, target)| class == target)
        .collect()
}
