//! The optimum of the softmax head by L-BFGS on this crate's own kernel. For `l2` above 0 the loss is strongly convex in the
//! weights, so there is one optimum: no seed, no learning rate, no early stopping.

mod blocks;
mod config;
mod convergence;
mod covariance;
mod history;
mod inverse;
mod line_search;
mod model;
mod objective;
mod preconditioner;
mod row_space;
mod search;
mod softmax_rows;
mod sums;

pub use blocks::{FeatureBlocks, InMemoryBlocks};
pub(super) use config::check_penalty;
pub use config::{LbfgsConfig, LbfgsParams};
pub use convergence::{Convergence, Precision};
pub(crate) use row_space::RowSpace;

use super::labelled_features::{Example, LabelledFeatures};
use super::result::{Epoch, FitResult};
use super::running_loss::MeanLoss;
use super::softmax_head::Head;
use crate::error::{Error, Kind, Result};
use objective::{Objective, Penalised};
use std::time::Instant;

/// A head to find.
#[derive(Debug, Clone, Copy)]
pub struct LbfgsJob<'a> {
    /// The settings.
    pub params: &'a LbfgsParams,
    /// The weight of each class in the loss, in class order, 0 and up; their number is the number of classes.
    pub class_weights: &'a [f32],
    /// A head near the optimum, such as that of a similar penalty, for features that are not standardized. It shortens the
    /// search and does not change the optimum.
    pub start: Option<&'a Head>,
    /// How near the optimum the search ends.
    pub precision: Precision,
    /// Upper limit on threads. The head does not depend on the number.
    pub threads: usize,
}

/// A head found by L-BFGS.
#[derive(Debug, Clone)]
pub struct LbfgsResult {
    /// The head. Its history is one entry for the whole search.
    pub fitted: FitResult,
    /// How near the optimum it is.
    pub convergence: Convergence,
}

/// Searches for the head with the smallest loss on the rows of `train`: mean cross entropy, weighted and smoothed as the
/// settings say, + l2/2 times the squared weights. The bias is left out of the penalty.
///
/// # Errors
/// [`Kind::Run`] if a class has no train rows, a loss is not finite, or the search for the optimum ends before it and the
/// settings do not allow that; the errors of `train`.
///
/// # Panics
/// If a target is not below the number of classes.
pub fn fit_blocks(job: LbfgsJob, width: usize, train: &mut dyn FeatureBlocks) -> Result<LbfgsResult> {
    let started = Instant::now();
    let config = job.params.settings();
    let penalised = Penalised {
        class_weights: job.class_weights,
        label_smoothing: config.label_smoothing,
        l2: config.l2,
        standardize: config.standardize,
    };
    let mut objective = Objective::new(train, width, penalised, job.threads)?;
    check_classes(&objective.class_counts())?;
    let found = search::search(&mut objective, job.start, job.precision, config.iterations)?;
    let is_certified = job.precision == Precision::Optimum && !config.allow_unconverged;
    if is_certified && !found.convergence.is_optimum() {
        return Err(found.convergence.error());
    }
    let MeanLoss { loss, accuracy } = found.score;
    let whole = Epoch {
        epoch: 1,
        train_loss: loss,
        train_accuracy: accuracy,
        validation_loss: 0.0,
        validation_accuracy: 0.0,
        seconds: started.elapsed().as_secs_f64(),
    };
    let fitted = FitResult { head: found.head, best_epoch: 1, history: vec![whole] };
    Ok(LbfgsResult { fitted, convergence: found.convergence })
}

/// [`fit_blocks`] for rows in memory. Few rows of many features are given by their coordinates in the space that they span.
///
/// # Errors
/// Those of [`fit_blocks`].
///
/// # Panics
/// As [`fit_blocks`].
pub fn fit(job: LbfgsJob, train: LabelledFeatures) -> Result<LbfgsResult> {
    let config = job.params.settings();
    if !RowSpace::pays(train, job.class_weights.len(), 0) {
        return fit_blocks(job, train.features.width(), &mut InMemoryBlocks::new(train));
    }
    let (space, coordinates) = RowSpace::of(train, config.standardize, job.threads);
    let examples = train.examples.iter().zip(0..).map(|(example, row)| Example { row, ..*example });
    let examples: Vec<Example> = examples.collect();
    let params = LbfgsConfig { standardize: false, ..config.clone() }.check()?;
    let start = job.start.map(|start| space.reduced(start));
    let job = LbfgsJob { params: &params, start: start.as_ref(), ..job };
    let rows = LabelledFeatures { features: &coordinates, examples: &examples };
    let mut found = fit_blocks(job, coordinates.width(), &mut InMemoryBlocks::new(rows))?;
    found.fitted.head = space.restored(&found.fitted.head);
    Ok(found)
}

impl LbfgsResult {
    /// Records the score of the head on `validation`, which had no influence on it. Without rows nothing is recorded.
    pub fn scored_on(mut self, validation: LabelledFeatures) -> Self {
        if !validation.examples.is_empty() {
            let score = self.fitted.head.score(validation);
            let whole = &mut self.fitted.history[0];
            (whole.validation_loss, whole.validation_accuracy) = (score.loss, score.accuracy);
        }
        self
    }
}

/// Refuses classes without rows: the bias of such a class has no optimum.
pub(super) fn check_classes(counts: &[usize]) -> Result<()> {
    match counts.iter().position(|&count| count == 0) {
        Some(class) => Err(Error::new(Kind::Run, format!("class {class} has no train rows"))),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod test_data;
#[cfg(test)]
mod tests;
