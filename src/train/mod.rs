//! Stage 2: from a cache of features to a fitted head with its predictions.

mod families;
pub(crate) mod outcome;
pub(crate) mod shelf;
pub(crate) mod warm;

use crate::dataset::{Division, Split};
use crate::error::{Error, Kind, Result};
use crate::head::{self, Epoch, FitParams, Fitted, Job, SolverConfig, SolverParams};
use crate::monitor::{Monitor, Unit};
use crate::run::{self, Record};
use crate::threads;
use outcome::Origin;
use serde::Serialize;
use shelf::{Loaded, Plan, Shelf};
use std::collections::HashSet;
use std::path::PathBuf;
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
    if let (SolverParams::Lbfgs(_), Some(init)) = (&params, &config.init) {
        return Err(Error::new(
            Kind::Usage,
            "--init has no use with --solver lbfgs: the optimum is the same from anywhere",
        )
        .at(init)
        .help("leave --init out, or use --solver adam"));
    }
    run::check_target(&config.run)?;
    let threads = threads::number(config.threads);
    let reading = Instant::now();
    let shelf = Shelf::open(&config.cache, threads)?;
    let plans = [shelf.plan(config.division, config.variants.as_deref(), monitor)?];
    let plan = &plans[0];
    let warm = config.init.as_ref().map(|init| warm(init, &shelf, plan)).transpose()?;
    let loaded = shelf.load(&plans, threads)?;
    let read_seconds = reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let (fitted, converged) = fit(&shelf, plan, &loaded, warm.as_ref(), (params, threads), monitor)?;
    let seconds = started.elapsed().as_secs_f64();
    let mut predictions = Vec::new();
    for (part, split) in [(&plan.validation, Split::Validation), (&plan.test, Split::Test)] {
        let rows = loaded.examples(part);
        predictions.extend(outcome::predict(&fitted.head, &shelf, part, loaded.rows(&rows), split));
    }
    let none = HashSet::new();
    let origin = Origin {
        config: config.solver.clone(),
        init: config.init.as_ref(),
        seen: warm.as_ref().map_or(&none, |warm| &warm.seen),
        time: config.time,
        seconds,
    };
    let predictions = outcome::sorted(predictions);
    let record = outcome::write(&config.run, &shelf, plan, &fitted, &predictions, origin)?;
    Ok(stats(&record, plan, converged, read_seconds))
}

fn warm(init: &PathBuf, shelf: &Shelf, plan: &Plan) -> Result<Warm> {
    let warm = Warm::read(init, shelf)?;
    warm.check(init, plan).map(|()| warm)
}

/// A head to be fitted to `plan`.
///
/// # Errors
/// [`Kind::Usage`] when weights are given for a class that is not there.
pub(crate) fn job(shelf: &Shelf, plan: &Plan, warm: Option<&Warm>, params: FitParams) -> Result<Job> {
    let settings = params.settings();
    let counts = plan.train.counts(shelf.classes.len());
    let factors = settings.class_weights.factors(&shelf.classes, &counts)?;
    let start = warm.map(|warm| warm.head(&shelf.classes, settings.seed));
    Ok(Job { start, params, factors })
}

/// Fits by the chosen solver, telling how it goes.
fn fit(
    shelf: &Shelf,
    plan: &Plan,
    loaded: &Loaded,
    warm: Option<&Warm>,
    (params, threads): (SolverParams, usize),
    monitor: &dyn Monitor,
) -> Result<(Fitted, Option<bool>)> {
    let (train, validation) = (loaded.examples(&plan.train), loaded.examples(&plan.validation));
    let (train, validation) = (loaded.rows(&train), loaded.rows(&validation));
    match params {
        SolverParams::Lbfgs(params) => {
            monitor.note("looking for the optimum with L-BFGS: tens of seconds for a few thousand rows");
            let found =
                head::fit_lbfgs((shelf.spec().width, shelf.classes.len()), train, validation, params)?;
            if !found.is_optimum() {
                monitor.warn(&format!(
                    "L-BFGS ended before the optimum: its weights may be off by {:.0} %; raise --l2, or --epochs",
                    100.0 * found.distance
                ));
            }
            let converged = found.is_optimum();
            Ok((found.fitted, Some(converged)))
        }
        SolverParams::Adam(params) => {
            let task = monitor.task("training", Some(params.settings().epochs as u64), Unit::Epochs);
            let mut on_epoch = |epoch: &Epoch| {
                task.status(&format!(
                    "loss {:.4}  validation loss {:.4}  accuracy {:.1} %",
                    epoch.train_loss,
                    epoch.validation_loss,
                    100.0 * epoch.validation_accuracy
                ));
                task.advance(1);
            };
            let job = job(shelf, plan, warm, params)?;
            Ok((head::fit(job, train, Some(validation), threads, &mut on_epoch)?, None))
        }
    }
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
        variants: record.variants.clone(),
        classes: record.classes.len(),
    }
}
