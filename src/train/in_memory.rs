//! Training with all features in memory.

use super::fit_context::FitContext;
use super::single_fit::{EpochLog, FitInputs, TrainResult};
use crate::error::Result;
use crate::head::{FitParams, FitResult, LbfgsParams, SolverParams};
use crate::run::WeightHistograms;
use std::time::Instant;

/// A fitted head before anything is predicted.
struct SolverResult {
    fitted: FitResult,
    converged: Option<bool>,
    histograms: WeightHistograms,
}

/// Reads all features, fits a head, and predicts the held-out rows.
///
/// # Errors
/// [`Kind::Cache`](crate::error::Kind::Cache) when features are damaged, [`Kind::Run`](crate::error::Kind::Run) when the
/// loss is not a number.
pub(super) fn fit(inputs: FitInputs, params: SolverParams) -> Result<TrainResult> {
    let FitInputs { set, splits, threads, .. } = inputs;
    let table = set.load([splits])?;
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let context = FitContext { set, splits, table: &table, threads };
    let SolverResult { fitted, converged, histograms } = match params {
        SolverParams::Adam(params) => adam(inputs, context, params)?,
        SolverParams::Lbfgs(params) => lbfgs(inputs, context, params)?,
    };
    let seconds = started.elapsed().as_secs_f64();
    let predictions = context.predict_held_out(&fitted.head);
    let (measured, same_pictures) = (context.measure(), context.same_pictures());
    Ok(TrainResult {
        fitted,
        converged,
        predictions,
        measured,
        same_pictures,
        histograms,
        read_seconds,
        seconds,
    })
}

fn adam(inputs: FitInputs, context: FitContext, params: FitParams) -> Result<SolverResult> {
    let standardize = params.settings().standardize;
    let mut log = EpochLog::begin(inputs.monitor, &params);
    let job = inputs.job(params)?;
    let on_epoch = &mut |epoch: &_, head: &_| log.record(epoch, head);
    let fitted = context.adam(standardize).fit_one(job, on_epoch)?;
    Ok(SolverResult { fitted, converged: None, histograms: log.finish() })
}

fn lbfgs(inputs: FitInputs, context: FitContext, params: LbfgsParams) -> Result<SolverResult> {
    inputs.monitor.note("searching for the optimum with L-BFGS: tens of seconds for a few thousand rows");
    let found = context.lbfgs(params, inputs.monitor)?;
    let converged = Some(found.is_optimum());
    Ok(SolverResult { fitted: found.fitted, converged, histograms: WeightHistograms::default() })
}
