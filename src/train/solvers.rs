//! Fits heads with any solver to the train rows of one context.

use super::fit_context::FitContext;
use super::warm_start::WarmStart;
use crate::error::Result;
use crate::head::{Convergence, Epoch, FitJob, FitResult, Head, LbfgsResult, Precision, SolverConfig};
use crate::run::WeightHistograms;

/// A head, or why there is none.
#[derive(Debug)]
pub(crate) struct FittedHead {
    pub fitted: Result<FitResult>,
    /// How near the optimum L-BFGS came; `None` for Adam.
    pub convergence: Option<Convergence>,
    pub histograms: WeightHistograms,
}

/// Called with the position of a head after each of its epochs; L-BFGS has one.
pub(crate) type OnEpoch<'a> = dyn FnMut(usize, &Epoch, &Head) + 'a;

/// Fits one head for each of `settings`, which are all for one solver, and in their order. A head whose loss is not a number,
/// or that does not converge, fails alone.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for settings out of range or of a class that does not exist,
/// [`Kind::Run`](crate::error::Kind::Run) when there are no train rows.
pub(crate) fn fit_heads(
    context: FitContext,
    settings: &[SolverConfig],
    warm_start: Option<&WarmStart>,
    on_epoch: &mut OnEpoch,
) -> Result<Vec<FittedHead>> {
    match settings.first() {
        Some(SolverConfig::Adam(first)) => adam(context, settings, first.standardize, warm_start, on_epoch),
        _ => optima(context, settings, on_epoch),
    }
}

/// Fits all heads with Adam at once.
fn adam(
    context: FitContext,
    settings: &[SolverConfig],
    standardize: bool,
    warm_start: Option<&WarmStart>,
    on_epoch: &mut OnEpoch,
) -> Result<Vec<FittedHead>> {
    let mut jobs: Vec<FitJob> = Vec::with_capacity(settings.len());
    for settings in settings {
        let SolverConfig::Adam(config) = settings else { continue };
        let start = warm_start.map(|warm_start| warm_start.head(config.seed));
        jobs.push(context.job(start, config.clone().check()?)?);
    }
    let mut histograms = vec![WeightHistograms::default(); jobs.len()];
    let record = &mut |number: usize, epoch: &Epoch, head: &Head| {
        histograms[number].record(epoch.epoch, head);
        on_epoch(number, epoch, head);
    };
    let fitted = context.adam(standardize).fit(jobs, record)?;
    let head = |(fitted, histograms)| FittedHead { fitted, convergence: None, histograms };
    Ok(fitted.into_iter().zip(histograms).map(head).collect())
}

/// Finds the optimum of each of `settings`, each from zero: a head does not depend on the others that are fitted with it.
fn optima(context: FitContext, settings: &[SolverConfig], on_epoch: &mut OnEpoch) -> Result<Vec<FittedHead>> {
    let mut heads = Vec::with_capacity(settings.len());
    for (i, settings) in settings.iter().enumerate() {
        let result = match settings.clone() {
            SolverConfig::Lbfgs(config) => context.lbfgs(&config.check()?, None, Precision::Optimum),
            SolverConfig::Linfa(config) => context.linfa(config.check()?),
            SolverConfig::Adam(_) => continue,
        };
        if let Ok(found) = &result {
            on_epoch(i, &found.fitted.history[0], &found.fitted.head);
        }
        let convergence = result.as_ref().ok().map(|found| found.convergence);
        let fitted = result.map(|LbfgsResult { fitted, .. }| fitted);
        heads.push(FittedHead { fitted, convergence, histograms: WeightHistograms::default() });
    }
    Ok(heads)
}
