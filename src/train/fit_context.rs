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
    self, Epoch, FitJob, FitParams, FitResult, Head, InMemoryRows, LbfgsJob, LbfgsParams, LbfgsResult,
    LinfaParams, Precision, SharedInputs, Standardizer,
};
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
    /// The weight of each row of the table.
    row_weights: Option<Vec<f32>>,
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
        let row_weights = self.set.row_weights(self.table);
        AdamFit { context: self, train, validation, standardizer, row_weights }
    }

    /// Searches for the optimum with L-BFGS, from a head near it if there is one.
    ///
    /// # Errors
    /// [`Kind::Run`](crate::error::Kind::Run) when a class has no train rows, or the search ends before the optimum and the
    /// settings do not allow that; [`Kind::Usage`](crate::error::Kind::Usage) when a class weight names a class that does
    /// not exist.
    pub fn lbfgs(
        &self,
        params: &LbfgsParams,
        start: Option<&Head>,
        precision: Precision,
    ) -> Result<LbfgsResult> {
        self.set.check_classes(self.splits)?;
        self.set.require_equal_weights()?;
        let class_weights = self.set.class_weights(self.splits, &params.settings().class_weights)?;
        let job = LbfgsJob { params, class_weights: &class_weights, start, precision, threads: self.threads };
        let train = self.table.select(&self.splits.train);
        Ok(self.scored(head::fit_lbfgs(job, train.rows())?))
    }

    /// Searches for the optimum with the L-BFGS of linfa.
    ///
    /// # Errors
    /// Those of [`FitContext::lbfgs`].
    pub fn linfa(&self, params: LinfaParams) -> Result<LbfgsResult> {
        self.set.check_classes(self.splits)?;
        self.set.require_equal_weights()?;
        let train = self.table.select(&self.splits.train);
        Ok(self.scored(head::fit_linfa(self.set.classes().len(), train.rows(), params)?))
    }

    fn scored(&self, found: LbfgsResult) -> LbfgsResult {
        found.scored_on(self.table.select(&self.splits.validation).rows())
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
    /// Without validation rows all epochs are run.
    ///
    /// # Errors
    /// [`Kind::Run`](crate::error::Kind::Run) when there are no train rows.
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
            validation: Some(self.validation.rows()).filter(|rows| !rows.examples.is_empty()),
            standardizer: self.standardizer.as_ref(),
            label_sets: None,
            row_weights: self.row_weights.as_deref(),
            threads: self.context.threads,
        };
        head::fit_many(jobs, &mut source, shared, on_epoch)
    }
}
