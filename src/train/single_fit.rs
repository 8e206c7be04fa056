//! What `train` gives to a fit of one head, in memory or streaming, and what comes back.

use super::inner_folds::OutOfFold;
use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use super::warm_start::WarmStart;
use crate::error::Result;
use crate::head::rejection::RejectionDistances;
use crate::head::{Convergence, FitResult};
use crate::head::{Epoch, FitJob, FitParams, Head, SolverConfig};
use crate::metrics::percent_number;
use crate::monitor::{EpochReport, Monitor, Task, Unit};
use crate::run::{LiveCurves, Prediction, SamePictures, WeightHistograms};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The rows, the starting point and the surroundings of a fit.
#[derive(Clone, Copy)]
pub(super) struct FitInputs<'a> {
    pub set: &'a TrainingSet,
    pub splits: &'a SplitRows,
    pub warm_start: Option<&'a WarmStart>,
    /// Whether the train images are answered by folds within them even where there are validation images.
    pub wants_folds: bool,
    /// Upper limit on threads.
    pub threads: usize,
    pub monitor: &'a dyn Monitor,
    /// The curves that are written while a long fit runs.
    pub live: &'a Mutex<LiveCurves>,
    /// When reading of the cache began.
    pub reading: Instant,
}

/// A fitted head and what its run records besides.
#[derive(Debug)]
pub(super) struct TrainResult {
    /// The solver with the penalty that was used.
    pub solver: SolverConfig,
    pub fitted: FitResult,
    /// How near the optimum L-BFGS came; `None` for Adam.
    pub convergence: Option<Convergence>,
    /// Answers of the folds that stand in for a missing validation split.
    pub out_of_fold: Option<OutOfFold>,
    /// Answers for the train images by folds, where they were wanted besides validation images.
    pub fold_answers: Option<OutOfFold>,
    /// Predictions for all held-out rows, sorted by image and variant.
    pub predictions: Vec<Prediction>,
    /// Distances for open-set rejection.
    pub measured: RejectionDistances,
    /// Pictures that are in two splits.
    pub same_pictures: SamePictures,
    pub histograms: WeightHistograms,
    /// Wall time of reading the features before the fit, in seconds.
    pub read_seconds: f64,
    /// Wall time of the fit in seconds.
    pub seconds: f64,
}

/// Reports the epochs of a fit, and collects histograms of its weights.
pub(super) struct EpochLog<'a> {
    task: Box<dyn Task + 'a>,
    monitor: &'a dyn Monitor,
    live: &'a Mutex<LiveCurves>,
    solver: SolverConfig,
    has_validation: bool,
    histograms: WeightHistograms,
}

impl FitInputs<'_> {
    /// Prepares the head to be fitted with Adam.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a class weight names a class that does not exist.
    pub fn job(&self, params: FitParams) -> Result<FitJob> {
        let seed = params.settings().seed;
        let start = self.warm_start.map(|warm_start| warm_start.head(seed));
        self.set.job(self.splits, start, params)
    }
}

/// The most epochs of a fit; 1 for L-BFGS.
fn epochs(solver: &SolverConfig) -> usize {
    match solver {
        SolverConfig::Adam(config) => config.epochs,
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => 1,
    }
}

/// Warns of a head that L-BFGS left before the optimum.
pub(crate) fn warn_unless_converged(convergence: &Convergence, monitor: &dyn Monitor) {
    if !convergence.is_optimum() {
        monitor
            .warn(&format!("L-BFGS ended before the optimum: its weights {}", convergence.distance_text()));
    }
}

impl<'a> EpochLog<'a> {
    pub fn begin(inputs: FitInputs<'a>, solver: &SolverConfig) -> Self {
        let FitInputs { monitor, splits, live, .. } = inputs;
        Self {
            task: monitor.task("training", Some(epochs(solver) as u64), Unit::Epochs),
            monitor,
            live,
            solver: solver.clone(),
            has_validation: !splits.validation.targets.is_empty(),
            histograms: WeightHistograms::default(),
        }
    }

    /// Records an epoch and the head after it.
    pub fn record(&mut self, epoch: &Epoch, head: &Head) {
        let mut status = format!("loss {:.4}", epoch.train_loss);
        if self.has_validation {
            let accuracy = percent_number(epoch.validation_accuracy);
            status += &format!("  validation loss {:.4}  accuracy {accuracy} %", epoch.validation_loss);
        }
        self.task.status(&status);
        self.task.advance(1);
        self.histograms.record(epoch.epoch, head);
        self.report(epoch);
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = live.record(epoch) {
            self.monitor
                .warn(&format!("the training curves are not written while it fits: {}", error.with_causes()));
        }
    }

    /// Reports an epoch of Adam to the monitor.
    fn report(&self, epoch: &Epoch) {
        let Some(learning_rate) = self.solver.learning_rate(epoch.epoch) else { return };
        let validation = |value: f64| self.has_validation.then_some(value);
        self.monitor.epoch(&EpochReport {
            epoch: epoch.epoch,
            epochs: epochs(&self.solver),
            train_loss: epoch.train_loss,
            train_accuracy: epoch.train_accuracy,
            validation_loss: validation(epoch.validation_loss),
            validation_accuracy: validation(epoch.validation_accuracy),
            learning_rate,
            seconds: epoch.seconds,
        });
    }

    /// Ends the progress display.
    pub fn finish(self) -> WeightHistograms {
        self.histograms
    }
}
