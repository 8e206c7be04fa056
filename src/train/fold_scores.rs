//! Scores of candidates over folds, for choosing among them. Searches of L-BFGS end earlier here than for a head that is kept,
//! and begin at the optimum of the next larger penalty; the heads themselves are dropped.

use super::fit_context::FitContext;
use super::selection::{FoldScores, HeldOutScore, pooled};
use super::solvers::fit_heads;
use super::split_rows::SplitRows;
use super::warm_start::WarmStart;
use crate::error::{Kind, Result};
use crate::head::{FitResult, Head, LbfgsConfig, LinfaConfig, Precision, SolverConfig};
use crate::math::parallel::in_parallel;

/// A penalty whose loss is above the smallest one by more than this share ends a path.
const CLEARLY_ABOVE: f64 = 0.01;

/// Two penalties, one after the other, whose losses are above the smallest one by more than this share end a path. Where
/// features are small, the largest penalties differ by less.
const ABOVE: f64 = 0.001;

/// Scores each of `settings`, which are all for one solver, on the validation rows of each of `folds`.
///
/// # Errors
/// [`Kind::Usage`] for settings out of range or of a class that does not exist, [`Kind::Input`] when a class has no train rows.
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
    let along = along_path(context, folds, &path, &mut |_| true)?;
    let mut scores: Vec<(usize, FoldScores)> = order.into_iter().zip(along).collect();
    scores.sort_by_key(|(i, _)| *i);
    Ok(scores.into_iter().map(|(_, scores)| scores).collect())
}

/// Scores penalties along a path, the largest first. Before each but the first one `goes_on` is asked, with the scores so far;
/// the path ends where it says no.
///
/// # Errors
/// Those of [`fold_scores`].
pub(crate) fn along_path(
    context: FitContext,
    folds: &[&SplitRows],
    path: &[SolverConfig],
    goes_on: &mut dyn FnMut(&[FoldScores]) -> bool,
) -> Result<Vec<FoldScores>> {
    let mut all: Vec<FoldScores> = Vec::with_capacity(path.len());
    let mut heads: Vec<Option<Head>> = vec![None; folds.len()];
    let outer = context.threads.clamp(1, folds.len().max(1));
    let threads = (context.threads / outer).max(1);
    for settings in path {
        if !all.is_empty() && !goes_on(&all) {
            break;
        }
        let work: Vec<(&SplitRows, Option<Head>)> = folds.iter().copied().zip(heads).collect();
        let found = in_parallel(outer, &work, |(splits, start)| {
            let fitted = fit(FitContext { splits, threads, ..context }, settings, start.as_ref())?;
            let score = fitted.as_ref().map(|fitted| score(splits, fitted));
            Ok((score, fitted.map(|fitted| fitted.head).or_else(|| start.clone())))
        })?;
        let scores;
        (scores, heads) = found.into_iter().unzip();
        all.push(scores);
    }
    Ok(all)
}

/// Whether a path has passed its smallest loss: the latest penalty is clearly worse, or the latest two are worse.
pub(crate) fn has_passed_the_minimum(scores: &[FoldScores]) -> bool {
    let losses: Vec<f64> = scores.iter().map(|scores| pooled(scores).map_or(f64::NAN, |s| s.loss)).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let mut latest = losses.iter().rev().map(|loss| loss / least - 1.0);
    let (last, before) = (latest.next().unwrap_or(0.0), latest.next().unwrap_or(0.0));
    last > CLEARLY_ABOVE || (last > ABOVE && before > ABOVE)
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
            scores.push(head.fitted.ok().map(|fitted| score(splits, &fitted)));
        }
    }
    Ok(all)
}

/// Searches for an optimum with the precision that scores need. `None` for a search that fails.
fn fit(context: FitContext, settings: &SolverConfig, start: Option<&Head>) -> Result<Option<FitResult>> {
    let found = match settings.clone() {
        SolverConfig::Lbfgs(config) => {
            let params = LbfgsConfig { allow_unconverged: true, ..config }.check()?;
            context.lbfgs(&params, start, Precision::Scores)
        }
        SolverConfig::Linfa(config) => {
            context.linfa(LinfaConfig { allow_unconverged: true, ..config }.check()?)
        }
        SolverConfig::Adam(_) => return Ok(None),
    };
    match found {
        Ok(found) => Ok(Some(found.fitted)),
        Err(error) if error.kind() == Kind::Run => Ok(None),
        Err(error) => Err(error),
    }
}

fn score(splits: &SplitRows, fitted: &FitResult) -> HeldOutScore {
    let best = &fitted.history[fitted.best_epoch - 1];
    HeldOutScore {
        images: splits.validation.keys.len(),
        loss: best.validation_loss,
        accuracy: best.validation_accuracy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_behind_its_minimum_and_not_on_a_plateau() {
        let path = |losses: &[f64]| -> Vec<FoldScores> {
            let score = |&loss: &f64| vec![Some(HeldOutScore { images: 5, loss, accuracy: 0.5 })];
            losses.iter().map(score).collect()
        };
        for (losses, has_passed) in [
            (&[2.0, 1.5, 1.0][..], false),
            (&[2.0, 1.0, 1.009], false),
            (&[2.0, 1.0, 1.02], true),
            (&[2.0, 1.0, 1.005, 1.006], true),
            (&[2.0, 1.0, 1.005, 0.99], false),
            (&[2.0, 2.0005, 2.001, 2.0008], false),
            (&[2.0], false),
        ] {
            assert_eq!(has_passed_the_minimum(&path(losses)), has_passed, "{losses:?}");
        }
    }
}
