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
use crate::monitor::{Monitor, Task, Unit};
use crate::run::{Prediction, SamePictures, WeightHistograms};
use std::time::Instant;

/// The rows, the starting point and the surroundings of a fit.
#[derive(Clone, Copy)]
pub(super) struct FitInputs<'a> {
    pub set: &'a TrainingSet,
    pub splits: &'a SplitRows,
    pub warm_start: Option<&'a WarmStart>,
    /// Upper limit on threads.
    pub threads: usize,
    pub monitor: &'a dyn Monitor,
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

/// Shows the progress of a fit, and collects histograms of its weights.
pub(super) struct EpochLog<'a> {
    task: Box<dyn Task + 'a>,
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

/// Warns of a head that L-BFGS left before the optimum.
pub(crate) fn warn_unless_converged(convergence: &Convergence, monitor: &dyn Monitor) {
    if !convergence.is_optimum() {
        monitor.warn(&format!(
            "L-BFGS ended before the optimum: its weights may be off by {:.0} %",
            100.0 * convergence.distance
        ));
    }
}

impl<'a> EpochLog<'a> {
    pub fn begin(monitor: &'a dyn Monitor, solver: &SolverConfig) -> Self {
        let epochs = match solver {
            SolverConfig::Adam(config) => config.epochs as u64,
            SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => 1,
        };
        Self {
            task: monitor.task("training", Some(epochs), Unit::Epochs),
            histograms: WeightHistograms::default(),
        }
    }

    /// Records an epoch and the head after it.
    pub fn record(&mut self, epoch: &Epoch, head: &Head) {
        self.task.status(&format!(
            "loss {:.4}  validation loss {:.4}  accuracy {} %",
            epoch.train_loss,
            epoch.validation_loss,
            percent_number(epoch.validation_accuracy)
        ));
        self.task.advance(1);
        self.histograms.record(epoch.epoch, head);
    }

    /// Ends the progress display.
    pub fn finish(self) -> WeightHistograms {
        self.histograms
    }
}
