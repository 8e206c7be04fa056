//! Scores of candidates over folds, for choosing among them.

use super::fit_context::FitContext;
use super::path_scores::along_path;
use super::selection::{FoldScores, HeldOutScore};
use super::solvers::fit_heads;
use super::split_rows::SplitRows;
use super::warm_start::WarmStart;
use crate::error::Result;
use crate::head::SolverConfig;

/// Scores each of `settings`, which are all for one solver, on the validation rows of each of `folds`.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for settings out of range or of a class that does not exist, [`Kind::Input`](crate::error::Kind::Input) when a class has no train rows.
pub(crate) fn fold_scores(
    context: FitContext,
    folds: &[&SplitRows],
    settings: &[SolverConfig],
    warm_start: Option<&WarmStart>,
) -> Result<Vec<FoldScores>> {
    if let Some(SolverConfig::Adam(_)) = settings.first() {
        return adam(context, folds, settings, warm_start);
    }
    let mut order: Vec<usize> = (0..settings.len()).collect();
    order.sort_by(|&a, &b| settings[b].l2().total_cmp(&settings[a].l2()));
    let path: Vec<SolverConfig> = order.iter().map(|&i| settings[i].clone()).collect();
    let along = along_path(context, folds, &path, None, &mut |_| true)?;
    let mut scores: Vec<(usize, FoldScores)> = order.into_iter().zip(along).collect();
    scores.sort_by_key(|(i, _)| *i);
    Ok(scores.into_iter().map(|(_, scores)| scores).collect())
}

fn adam(
    context: FitContext,
    folds: &[&SplitRows],
    settings: &[SolverConfig],
    warm_start: Option<&WarmStart>,
) -> Result<Vec<FoldScores>> {
    let mut all: Vec<FoldScores> = vec![Vec::with_capacity(folds.len()); settings.len()];
    for &splits in folds {
        let heads = fit_heads(FitContext { splits, ..context }, settings, warm_start, &mut |_, _, _| {})?;
        for (scores, head) in all.iter_mut().zip(heads) {
            scores.push(head.fitted.ok().map(|fitted| HeldOutScore::of(splits, &fitted)));
        }
    }
    Ok(all)
}
