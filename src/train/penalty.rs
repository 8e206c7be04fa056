//! Chooses the L2 penalty of L-BFGS: by the validation images where each class has enough of them, else by folds within the
//! train images.

use super::fit_context::FitContext;
use super::inner_folds::InnerFolds;
use super::path_scores::{along_path, has_passed_the_minimum};
use super::selection::{Rule, ScoreTable, pooled};
use super::split_rows::SplitRows;
use crate::error::{Error, Kind, Result};
use crate::head::{SolverConfig, StopOn};
use crate::monitor::Monitor;

/// Penalties that are tried, the largest first.
const PATH: [f64; 13] = [1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6];

/// The same for standardized features, which are larger than those of most networks.
const STANDARDIZED_PATH: [f64; 13] =
    [100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4];

/// Validation images of each class that are enough to choose by.
pub(super) const ENOUGH: usize = 20;

/// The solver with each penalty that is tried, the largest first.
pub(super) fn path(solver: &SolverConfig) -> Vec<SolverConfig> {
    let penalties = match solver {
        SolverConfig::Lbfgs(config) if config.standardize => STANDARDIZED_PATH,
        _ => PATH,
    };
    penalties.iter().map(|&l2| solver.clone().with_l2(l2)).collect()
}

/// Whether each class has enough validation images to choose by.
pub(super) fn has_enough_validation(splits: &SplitRows, classes: usize) -> bool {
    splits.validation.images_per_class(classes).into_iter().min() >= Some(ENOUGH)
}

/// Returns `solver` with the penalty of the smallest loss on held-out images, and reports it.
///
/// # Errors
/// [`Kind::Run`] when no penalty gives a head, [`Kind::Input`] when a class has too few images.
pub(super) fn choose(
    context: FitContext,
    solver: &SolverConfig,
    monitor: &dyn Monitor,
) -> Result<SolverConfig> {
    let path = path(solver);
    let mut goes_on = |scores: &[_]| !has_passed_the_minimum(scores);
    let (scores, by) = if has_enough_validation(context.splits, context.set.classes().len()) {
        (
            along_path(context, &[context.splits], &path, None, &mut goes_on)?,
            "on the validation images".into(),
        )
    } else {
        let folds = InnerFolds::of(context.splits, context.set.classes())?;
        let by = format!("over {} folds within the train images", folds.len());
        (along_path(context, &folds.splits(), &path, None, &mut goes_on)?, by)
    };
    let table = ScoreTable { scores: &scores, folds: 1, by: StopOn::Loss, rule: Rule::Best };
    let chosen = table.choose().and_then(|best| Some((best, pooled(&scores[best])?)));
    let Some((best, score)) = chosen else {
        return Err(Error::new(Kind::Run, "L-BFGS reached the optimum of no penalty")
            .help("raise `iterations`, or give `l2` as a number"));
    };
    let edge = match best {
        0 => ": a larger one may be better",
        last if last + 1 == path.len() => ": a smaller one may be better",
        _ => "",
    };
    monitor.note(&format!(
        "l2 {} has the smallest loss {by}, {:.4}, of {} penalties from {} to {}{edge}",
        path[best].l2(),
        score.loss,
        scores.len(),
        path[0].l2(),
        path[scores.len() - 1].l2()
    ));
    Ok(path[best].clone())
}
