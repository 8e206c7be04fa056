//! Stage 2: from a cache of features to a fitted head with its predictions.

mod features;
mod trust;

use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::head::{self, Epoch, Fitted, Head, SolverConfig, SolverParams};
use crate::metrics::Temperature;
use crate::monitor::{Monitor, Unit};
use crate::run::{self, ClassCount, Finished, Record};
use crate::store::{FeatureStore, Spec};
use features::{Features, Selected};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `train` was asked for.
#[derive(Debug, Clone)]
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
    let params = config.solver.check()?;
    if let (SolverParams::Lbfgs(_), Some(init)) = (&params, &config.init) {
        return Err(Error::new(
            Kind::Usage,
            "--init has no use with --solver lbfgs: the optimum is the same from anywhere",
        )
        .at(init)
        .help("leave --init out, or use --solver adam"));
    }
    run::check_target(&config.run)?;
    let reading = Instant::now();
    let store = FeatureStore::open(&config.cache)?;
    let features = Features::load(&store, &config.cache, config.variants.as_deref(), monitor)?;
    let warm = config.init.as_ref().map(|init| warm_start(init, &features, store.spec())).transpose()?;
    let (head, seen) = warm.map_or((None, HashSet::new()), |(head, seen)| (Some(head), seen));
    let read_seconds = reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let (fitted, converged) = fit(head, &features, store.spec().width, params, monitor)?;
    let seconds = started.elapsed().as_secs_f64();
    let mut record = record(config, &store, &features, &fitted, seconds);
    let predictions = trust::predictions(&fitted.head, &features);
    record.temperature = trust::temperature(&predictions, &features.classes);
    // A head has seen its own images and those of every run it was started from.
    let trained_on: BTreeSet<Digest> = features.train.images().chain(seen).collect();
    let trained_on: Vec<Digest> = trained_on.into_iter().collect();
    let measured = trust::measured(&features, store.spec().width);
    let finished = Finished {
        record: &record,
        head: &fitted.head,
        predictions: &predictions,
        trained_on: &trained_on,
        measured: &measured,
    };
    run::write(&config.run, &finished)?;
    Ok(stats(&record, &features, converged, read_seconds))
}

/// Fits by the chosen solver, from `start` or afresh, telling how it goes.
fn fit(
    start: Option<Head>,
    features: &Features,
    width: usize,
    params: SolverParams,
    monitor: &dyn Monitor,
) -> Result<(Fitted, Option<bool>)> {
    let (train, validation) = (features.train.rows(), features.validation.rows());
    let classes = features.classes.len();
    match params {
        SolverParams::Lbfgs(params) => {
            monitor.note("looking for the optimum with L-BFGS: tens of seconds for a few thousand rows");
            let found = head::fit_lbfgs((width, classes), train, validation, params)?;
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
            let settings = params.settings();
            let head = start.unwrap_or_else(|| Head::fresh(width, classes, settings.seed));
            let task = monitor.task("training", Some(settings.epochs as u64), Unit::Epochs);
            let mut on_epoch = |epoch: &Epoch| {
                task.status(&format!(
                    "loss {:.4}  validation loss {:.4}  accuracy {:.1} %",
                    epoch.train_loss,
                    epoch.validation_loss,
                    100.0 * epoch.validation_accuracy
                ));
                task.advance(1);
            };
            Ok((head::fit(head, train, validation, params, &mut on_epoch)?, None))
        }
    }
}

/// The head of another run with the images it has seen, if it was fitted on the same kind of features, the same classes,
/// and no image that is now held out.
fn warm_start(init: &Path, features: &Features, spec: &Spec) -> Result<(Head, HashSet<Digest>)> {
    let (head, classes, other) = run::read_head(init)?;
    let differences = other.differences(spec, "in that run", "in this cache");
    let refuse =
        |message: String| Err(Error::new(Kind::Run, message).at(init).help("choose another --init, or none"));
    if !differences.is_empty() || head.width() != spec.width {
        return refuse(format!("its features are others: {}", differences.join("; ")));
    }
    if classes != features.classes {
        return refuse(format!(
            "its classes are {}, not {}",
            classes.join(", "),
            features.classes.join(", ")
        ));
    }
    let held_out: HashSet<Digest> =
        [&features.validation, &features.test].iter().flat_map(|s| s.images()).collect();
    let seen = run::read_trained_on(init)?;
    let leaked = seen.iter().filter(|hash| held_out.contains(*hash)).count();
    if leaked > 0 {
        return refuse(format!("{leaked} of its training images are now in validation or test"));
    }
    Ok((head, seen))
}

fn record(
    config: &TrainConfig,
    store: &FeatureStore,
    features: &Features,
    fitted: &Fitted,
    seconds: f64,
) -> Record {
    let count = |part: &Selected, class: usize| {
        let images = part.keys.iter().zip(&part.targets).filter(|(_, target)| **target == class);
        images.map(|(key, _)| key.image_sha256).collect::<HashSet<_>>().len()
    };
    let classes = features.classes.iter().enumerate().map(|(i, name)| ClassCount {
        name: name.clone(),
        train: count(&features.train, i),
        validation: count(&features.validation, i),
        test: count(&features.test, i),
    });
    Record {
        schema: run::SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        time: config.time,
        cache: std::path::absolute(&config.cache)
            .unwrap_or_else(|_| config.cache.clone())
            .display()
            .to_string(),
        spec: store.spec().clone(),
        classes: classes.collect(),
        config: config.solver,
        variants: features.variants.iter().map(ToString::to_string).collect(),
        train_rows: features.train.keys.len(),
        init: config.init.as_ref().map(|init| init.display().to_string()),
        history: fitted.history.clone(),
        best_epoch: fitted.best_epoch,
        seconds,
        temperature: None,
    }
}

fn stats(record: &Record, features: &Features, converged: Option<bool>, read_seconds: f64) -> TrainStats {
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
        validation_images: features.validation.targets.len(),
        temperature: record.temperature,
        variants: record.variants.clone(),
        classes: features.classes.len(),
    }
}
