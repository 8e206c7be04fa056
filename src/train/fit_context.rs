//! What all fits to the same rows share, and the fits themselves: with Adam for any number of heads at once, and with
//! L-BFGS.

use super::feature_table::{FeatureTable, SelectedRows};
use super::held_out;
use super::rejection;
use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::error::Result;
use crate::head::rejection::RejectionDistances;
use crate::head::{
    self, Epoch, FitJob, FitParams, FitResult, Head, InMemoryRows, LbfgsParams, LbfgsResult, SharedInputs,
    Standardizer,
};
use crate::monitor::Monitor;
use crate::run::Prediction;

/// A training set, one assignment of its splits, and the features of all their rows in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FitContext<'a> {
    pub set: &'a TrainingSet,
    pub splits: &'a SplitRows,
    pub table: &'a FeatureTable,
    /// Upper limit on threads. No result depends on it.
    pub threads: usize,
}

/// Fits heads with Adam to the train rows of a context.
#[derive(Debug)]
pub(crate) struct AdamFit<'a> {
    context: FitContext<'a>,
    train: SelectedRows<'a>,
    validation: SelectedRows<'a>,
    standardizer: Option<Standardizer>,
}

impl<'a> FitContext<'a> {
    /// Prepares a head to be fitted with Adam from `start`, or from fresh weights.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when a class weight names a class that does not exist.
    pub fn job(&self, start: Option<Head>, params: FitParams) -> Result<FitJob> {
        self.set.job(self.splits, start, params)
    }

    /// Prepares fits with Adam, on standardized features or on plain ones.
    pub fn adam(self, standardize: bool) -> AdamFit<'a> {
        let train = self.table.select(&self.splits.train);
        let validation = self.table.select(&self.splits.validation);
        let standardizer = standardize.then(|| Standardizer::fit(train.rows()));
        AdamFit { context: self, train, validation, standardizer }
    }

    /// Searches for the optimum with L-BFGS. Warns when the search ended before it.
    ///
    /// # Errors
    /// [`Kind::Run`](crate::error::Kind::Run) when a class has no train rows or the search fails.
    pub fn lbfgs(&self, params: LbfgsParams, monitor: &dyn Monitor) -> Result<LbfgsResult> {
        let train = self.table.select(&self.splits.train);
        let validation = self.table.select(&self.splits.validation);
        let found = head::fit_lbfgs(self.set.classes().len(), train.rows(), validation.rows(), params)?;
        if !found.is_optimum() {
            monitor.warn(&format!(
                "L-BFGS ended before the optimum: its weights may be off by {:.0} %; raise `l2` or the limit on iterations",
                100.0 * found.distance
            ));
        }
        Ok(found)
    }

    /// Predicts all held-out rows, sorted by image and variant.
    pub fn predict_held_out(&self, head: &Head) -> Vec<Prediction> {
        held_out::predict_all(head, self.set, self.splits, self.table)
    }

    /// Measures the distances of the held-out images from the classes, for open-set rejection.
    pub fn measure(&self) -> RejectionDistances {
        rejection::measure(self.splits, self.set.classes().len(), self.table)
    }
}

impl AdamFit<'_> {
    /// Fits all heads of `jobs` at once, in the order of rows that the settings of the first one ask for. Calls `on_epoch`
    /// with the position of a head in `jobs` after each of its epochs. A head whose loss is not a number fails alone.
    ///
    /// # Errors
    /// [`Kind::Run`](crate::error::Kind::Run) when there are no train or validation rows.
    ///
    /// # Panics
    /// When there are no jobs, or their batch sizes differ.
    pub fn fit(
        &self,
        jobs: Vec<FitJob>,
        on_epoch: &mut dyn FnMut(usize, &Epoch, &Head),
    ) -> Result<Vec<Result<FitResult>>> {
        let mut source = InMemoryRows::new(self.train.rows(), jobs[0].params.settings());
        let shared = SharedInputs {
            width: self.context.set.spec().width,
            validation: Some(self.validation.rows()),
            standardizer: self.standardizer.as_ref(),
            threads: self.context.threads,
        };
        head::fit_many(jobs, &mut source, shared, on_epoch)
    }

    /// Fits one head.
    ///
    /// # Errors
    /// [`Kind::Run`](crate::error::Kind::Run) when there are no train or validation rows, or a loss is not a number.
    pub fn fit_one(&self, job: FitJob, on_epoch: &mut dyn FnMut(&Epoch, &Head)) -> Result<FitResult> {
        let mut all = self.fit(vec![job], &mut |_, epoch, head| on_epoch(epoch, head))?;
        all.pop().expect("one job, one head")
    }
}
