//! Stage 2: from a cache of features to a fitted head with its predictions.

mod families;
pub(crate) mod outcome;
pub(crate) mod shelf;
mod stream;
pub(crate) mod trust;
pub(crate) mod warm;

use crate::dataset::Division;
use crate::error::{Error, Kind, Result};
use crate::head::rejection::RejectionDistances;
use crate::head::{
    self, Epoch, FitJob, FitParams, FitResult, Head, LabelledFeatures, LbfgsParams, SolverConfig,
    SolverParams,
};
use crate::metrics::Temperature;
use crate::monitor::{Monitor, Task, Unit};
use crate::run::{self, Prediction, Record, WeightHistograms};
use crate::threads;
use outcome::Origin;
use serde::Serialize;
use shelf::{Plan, Shelf};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;
use warm::Warm;

/// What `train` was asked for.
#[derive(Debug, Clone, Default)]
pub struct TrainConfig {
    /// The cache.
    pub cache: PathBuf,
    /// The run to write.
    pub run: PathBuf,
    /// Families or exact variants to train on; `None` takes every family that is complete.
    pub variants: Option<Vec<String>>,
    /// A run whose head is the start.
    pub init: Option<PathBuf>,
    /// How to fit, and with which settings.
    pub solver: SolverConfig,
    /// Other splits than the cache's own.
    pub division: Option<Division>,
    /// Bytes for features; train rows that do not fit come in blocks, in an order of their own (see
    /// `docs/architecture.md`). `None` holds all in memory.
    pub memory: Option<u64>,
    /// At most so many threads are used, where they pay; 0 is one for each core. They change no bit of the head.
    pub threads: usize,
    /// The time to note, in seconds since 1970.
    pub time: u64,
}

/// Loss and accuracy at the epoch that was kept.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Score {
    /// Mean cross entropy.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

/// What `train` did.
#[derive(Debug, Clone, Serialize)]
pub struct TrainStats {
    /// The network that the features came from, and what it is.
    pub backbone: String,
    /// How the head was fitted: `adam` or `lbfgs`.
    pub solver: &'static str,
    /// Whether L-BFGS reached the optimum (its weights within 1 %); `None` for Adam, which does not look for it.
    pub converged: Option<bool>,
    /// Epochs that ran; 1 for L-BFGS, whose whole search is told as one.
    pub epochs: usize,
    /// The epoch that was kept, from 1.
    pub best_epoch: usize,
    /// On the validation split, at that epoch.
    pub validation: Score,
    /// Wall time of the fit alone, reading the cache apart.
    pub seconds: f64,
    /// Mean wall time of an epoch, its validation included.
    pub seconds_per_epoch: f64,
    /// Wall time of reading and verifying the features.
    pub read_seconds: f64,
    /// Feature rows trained on.
    pub train_rows: usize,
    /// Images that decided when to stop.
    pub validation_images: usize,
    /// The temperature that calibrates the probabilities; `None` where the validation images tell none.
    pub temperature: Option<Temperature>,
    /// Variants trained on.
    pub variants: Vec<String>,
    /// Number of classes.
    pub classes: usize,
}

/// Fits a head to the features in a cache and writes a run.
///
/// # Errors
/// [`Kind::Usage`] for settings out of range, [`Kind::Cache`] when features are missing or damaged, [`Kind::Run`] when
/// the run cannot be written there, `--init` does not fit, or the loss is not a number.
pub fn train(config: &TrainConfig, monitor: &dyn Monitor) -> Result<TrainStats> {
    let params = config.solver.clone().check()?;
    if let SolverParams::Lbfgs(_) = &params {
        check_lbfgs(config)?;
    }
    run::check_target(&config.run)?;
    let threads = threads::number(config.threads);
    let reading = Instant::now();
    let shelf = Shelf::open(&config.cache, threads)?;
    let plan = shelf.plan(config.division, config.variants.as_deref(), monitor)?;
    let warm = config.init.as_ref().map(|init| warm(init, &shelf, &plan)).transpose()?;
    let desk = Desk { shelf: &shelf, plan: &plan, warm: warm.as_ref(), threads, monitor };
    let done = match (params, config.memory) {
        (SolverParams::Adam(params), Some(memory)) => desk.streamed(params, memory, reading)?,
        (params, _) => desk.in_memory(params, reading)?,
    };
    let none = HashSet::new();
    let origin = Origin {
        config: config.solver.clone(),
        init: config.init.as_ref(),
        seen: warm.as_ref().map_or(&none, |warm| &warm.seen),
        memory: config.memory,
        time: config.time,
        seconds: done.seconds,
    };
    let predictions = outcome::sorted(done.predictions);
    let answers = (&predictions[..], &done.measured, &done.snapshots);
    let record = outcome::write(&config.run, &shelf, &plan, &done.fitted, answers, origin)?;
    Ok(stats(&record, &plan, done.converged, done.read_seconds))
}

/// What has no use with L-BFGS.
fn check_lbfgs(config: &TrainConfig) -> Result<()> {
    let refuse = |message: &str, remedy: &str| Err(Error::new(Kind::Usage, message).help(remedy));
    match (&config.init, config.memory) {
        (Some(init), _) => refuse(
            "--init has no use with --solver lbfgs: the optimum is the same from anywhere",
            "leave --init out, or use --solver adam",
        )
        .map_err(|e| e.at(init)),
        (None, Some(_)) => refuse(
            "--memory has no use with --solver lbfgs, which holds all features in memory, twice over",
            "leave --memory out, or use --solver adam",
        ),
        (None, None) => Ok(()),
    }
}

/// All that a fit needs.
struct Desk<'a> {
    shelf: &'a Shelf,
    plan: &'a Plan,
    warm: Option<&'a Warm>,
    threads: usize,
    monitor: &'a dyn Monitor,
}

/// What came of a fit.
struct Done {
    fitted: FitResult,
    converged: Option<bool>,
    predictions: Vec<Prediction>,
    measured: RejectionDistances,
    snapshots: Snapshots,
    read_seconds: f64,
    seconds: f64,
}

impl Desk<'_> {
    /// Reads all features, fits, predicts.
    fn in_memory(&self, params: SolverParams, reading: Instant) -> Result<Done> {
        let (shelf, plan) = (self.shelf, self.plan);
        let loaded = shelf.load(std::slice::from_ref(plan), self.threads)?;
        let read_seconds = reading.elapsed().as_secs_f64();
        let started = Instant::now();
        let train = loaded.examples(&plan.train);
        let validation = loaded.examples(&plan.validation);
        let (train, validation) = (loaded.rows(&train), loaded.rows(&validation));
        let mut snapshots = WeightHistograms::default();
        let (fitted, converged) = match params {
            SolverParams::Lbfgs(params) => self.lbfgs(params, train, validation)?,
            SolverParams::Adam(params) => {
                let task = self.task(&params);
                let job = job(shelf, plan, self.warm, params)?;
                let on_epoch = &mut |epoch: &Epoch, head: &Head| {
                    tell(&*task, epoch);
                    snapshots.record(epoch.epoch, head);
                };
                (head::fit(job, train, Some(validation), self.threads, on_epoch)?, None)
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let mut predictions = Vec::new();
        for (part, split) in plan.held_out() {
            let rows = loaded.examples(part);
            predictions.extend(outcome::predict(&fitted.head, shelf, part, loaded.rows(&rows), split));
        }
        let measured = trust::measured(shelf, plan, &loaded);
        Ok(Done { fitted, converged, predictions, measured, snapshots, read_seconds, seconds })
    }

    /// Fits to features that are read again in each epoch.
    fn streamed(&self, params: FitParams, memory: u64, reading: Instant) -> Result<Done> {
        let read_seconds = reading.elapsed().as_secs_f64();
        let task = self.task(&params);
        let how = (params, self.threads, memory);
        let mut snapshots = WeightHistograms::default();
        let on_epoch = &mut |epoch: &Epoch, head: &Head| {
            tell(&*task, epoch);
            snapshots.record(epoch.epoch, head);
        };
        let (fitted, seconds, (predictions, measured)) =
            stream::fit(self.shelf, self.plan, self.warm, how, on_epoch)?;
        Ok(Done { fitted, converged: None, predictions, measured, snapshots, read_seconds, seconds })
    }

    fn lbfgs(
        &self,
        params: LbfgsParams,
        train: LabelledFeatures,
        validation: LabelledFeatures,
    ) -> Result<(FitResult, Option<bool>)> {
        self.monitor.note("looking for the optimum with L-BFGS: tens of seconds for a few thousand rows");
        let found = head::fit_lbfgs(self.shelf.classes.len(), train, validation, params)?;
        let converged = found.is_optimum();
        if !converged {
            self.monitor.warn(&format!(
                "L-BFGS ended before the optimum: its weights may be off by {:.0} %; raise --l2, or --epochs",
                100.0 * found.distance
            ));
        }
        Ok((found.fitted, Some(converged)))
    }

    fn task(&self, params: &FitParams) -> Box<dyn Task + '_> {
        self.monitor.task("training", Some(params.settings().epochs as u64), Unit::Epochs)
    }
}

fn tell(task: &dyn Task, epoch: &Epoch) {
    task.status(&format!(
        "loss {:.4}  validation loss {:.4}  accuracy {:.1} %",
        epoch.train_loss,
        epoch.validation_loss,
        100.0 * epoch.validation_accuracy
    ));
    task.advance(1);
}

fn warm(init: &Path, shelf: &Shelf, plan: &Plan) -> Result<Warm> {
    let warm = Warm::read(init, shelf)?;
    warm.check(init, plan).map(|()| warm)
}

/// A head to be fitted to `plan`.
///
/// # Errors
/// [`Kind::Usage`] when weights are given for a class that is not there.
pub(crate) fn job(shelf: &Shelf, plan: &Plan, warm: Option<&Warm>, params: FitParams) -> Result<FitJob> {
    let settings = params.settings();
    let counts = plan.train.counts(shelf.classes.len());
    let class_weights = settings.class_weights.per_class(&shelf.classes, &counts)?;
    let start = warm.map(|warm| warm.head(&shelf.classes, settings.seed));
    Ok(FitJob { start, params, class_weights })
}

fn stats(record: &Record, plan: &Plan, converged: Option<bool>, read_seconds: f64) -> TrainStats {
    let best = &record.history[record.best_epoch - 1];
    let epochs = record.history.len();
    TrainStats {
        backbone: format!("{} ({})", record.spec.backbone.name, record.spec.backbone.title),
        solver: record.config.name(),
        converged,
        epochs,
        best_epoch: record.best_epoch,
        validation: Score { loss: best.validation_loss, accuracy: best.validation_accuracy },
        seconds: record.seconds,
        seconds_per_epoch: record.history.iter().map(|epoch| epoch.seconds).sum::<f64>() / epochs as f64,
        read_seconds,
        train_rows: record.train_rows,
        validation_images: plan.validation.keys.len(),
        temperature: record.temperature,
        variants: record.variants.clone(),
        classes: record.classes.len(),
    }
}
