//! Training with all features in memory.

use super::fit_context::FitContext;
use super::inner_folds::{InnerFolds, OutOfFold};
use super::penalty;
use super::single_fit::{EpochLog, FitInputs, TrainResult, warn_unless_converged};
use super::solvers::{FittedHead, fit_heads};
use crate::error::Result;
use crate::head::{Epoch, Head, SolverConfig};
use std::slice;
use std::time::Instant;

/// Reads all features, chooses the penalty if `auto_l2` says so, fits a head, and predicts the held-out rows. Where there are no validation images, folds within the
/// train images take their place.
///
/// # Errors
/// [`Kind::Cache`](crate::error::Kind::Cache) when features are damaged, [`Kind::Run`](crate::error::Kind::Run) when the
/// loss is not a number or L-BFGS does not converge, [`Kind::Input`](crate::error::Kind::Input) when a class has too few
/// images.
pub(super) fn fit(inputs: FitInputs, solver: &SolverConfig, auto_l2: bool) -> Result<TrainResult> {
    let FitInputs { set, splits, threads, .. } = inputs;
    let table = set.load([splits])?;
    let read_seconds = inputs.reading.elapsed().as_secs_f64();
    let started = Instant::now();
    let context = FitContext { set, splits, table: &table, threads };
    let solver = match auto_l2 {
        true => penalty::choose(context, solver, inputs.monitor)?,
        false => solver.clone(),
    };
    let (head, out_of_fold) = fit_head(inputs, context, &solver)?;
    let fold_answers = match inputs.wants_folds && out_of_fold.is_none() {
        true => answer_by_folds(inputs, context, &solver)?,
        false => None,
    };
    let FittedHead { fitted, convergence, histograms } = head;
    let fitted = fitted?;
    convergence.iter().for_each(|convergence| warn_unless_converged(convergence, inputs.monitor));
    let seconds = started.elapsed().as_secs_f64();
    let predictions = context.predict_held_out(&fitted.head);
    let (measured, same_pictures) = (context.measure(), context.same_pictures());
    Ok(TrainResult {
        solver,
        fitted,
        convergence,
        out_of_fold,
        fold_answers,
        predictions,
        measured,
        same_pictures,
        histograms,
        read_seconds,
        seconds,
    })
}

/// Fits the head and, without validation images, the folds.
fn fit_head(
    inputs: FitInputs,
    context: FitContext,
    solver: &SolverConfig,
) -> Result<(FittedHead, Option<OutOfFold>)> {
    let settings = slice::from_ref(solver);
    let FitInputs { set, splits, warm_start, monitor, .. } = inputs;
    let mut log = EpochLog::begin(inputs, solver);
    let on_epoch = &mut |_, epoch: &Epoch, head: &Head| log.record(epoch, head);
    if !splits.validation.keys.is_empty() {
        let mut heads = fit_heads(context, settings, warm_start, on_epoch)?;
        return Ok((heads.pop().expect("one head"), None));
    }
    let folds = InnerFolds::of(splits, set.classes())?;
    let what = match solver {
        SolverConfig::Adam(_) => "the number of epochs, temperature and rejection",
        SolverConfig::Lbfgs(_) | SolverConfig::Linfa(_) => "temperature and rejection",
    };
    monitor.note(&format!(
        "there are no validation images: {} folds within the train images give {what}, and the head is fitted to all of them",
        folds.len()
    ));
    let mut heads = folds.fit_heads(context, settings, warm_start, on_epoch)?;
    let (head, out_of_fold) = heads.pop().expect("one head");
    Ok((head, Some(out_of_fold)))
}

/// Answers the train images by folds within them.
fn answer_by_folds(
    inputs: FitInputs,
    context: FitContext,
    solver: &SolverConfig,
) -> Result<Option<OutOfFold>> {
    let folds = InnerFolds::of(inputs.splits, inputs.set.classes())?;
    inputs.monitor.note(&format!(
        "a class has too few validation images for its threshold: {} folds within the train images give it",
        folds.len()
    ));
    Ok(folds.answers(context, slice::from_ref(solver), inputs.warm_start)?.pop())
}
