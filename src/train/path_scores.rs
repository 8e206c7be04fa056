//! Scores of L-BFGS heads along a path of penalties. Searches end earlier here than for a head that is kept, and begin at the
//! optimum of the next larger penalty; the heads themselves are dropped.

use super::fit_context::FitContext;
use super::selection::{FoldScores, HeldOutScore, pooled};
use super::split_rows::SplitRows;
use crate::error::{Kind, Result};
use crate::head::{FitResult, Head, LbfgsConfig, LinfaConfig, Precision, SolverConfig};
use crate::math::parallel::in_parallel;
use std::time::Instant;

/// A penalty whose loss is above the smallest one by more than this share ends a path.
const CLEARLY_ABOVE: f64 = 0.01;

/// Two penalties, one after the other, whose losses are above the smallest one by more than this share end a path. Where
/// features are small, the largest penalties differ by less.
const ABOVE: f64 = 0.001;

/// Scores penalties along a path, the largest first. Before each but the first one `goes_on` is asked, with the scores so far;
/// the path ends where it says no, and at the time `until`. A penalty that is not scored in all folds by then is left out.
///
/// # Errors
/// [`Kind::Usage`] for settings out of range or of a class that does not exist, [`Kind::Input`] when a class has no train rows.
pub(crate) fn along_path(
    context: FitContext,
    folds: &[&SplitRows],
    path: &[SolverConfig],
    until: Option<Instant>,
    goes_on: &mut dyn FnMut(&[FoldScores]) -> bool,
) -> Result<Vec<FoldScores>> {
    let mut all: Vec<FoldScores> = Vec::with_capacity(path.len());
    let mut heads: Vec<Option<Head>> = vec![None; folds.len()];
    let outer = context.threads.clamp(1, folds.len().max(1));
    let threads = (context.threads / outer).max(1);
    let precision = Precision::Scores { until };
    for settings in path {
        if !all.is_empty() && !goes_on(&all) {
            break;
        }
        let work: Vec<(&SplitRows, Option<Head>)> = folds.iter().copied().zip(heads).collect();
        let found = in_parallel(outer, &work, |(splits, start)| {
            let context = FitContext { splits, threads, ..context };
            let fitted = fit(context, settings, start.as_ref(), precision)?;
            let score = fitted.as_ref().map(|fitted| HeldOutScore::of(splits, fitted));
            Ok((score, fitted.map(|fitted| fitted.head).or_else(|| start.clone())))
        })?;
        let scores: FoldScores;
        (scores, heads) = found.into_iter().unzip();
        // What failed at the end of the time was given up.
        if precision.is_over() && scores.iter().any(Option::is_none) {
            break;
        }
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

/// Searches for an optimum with the precision that scores need. `None` for a search that fails or is given up.
fn fit(
    context: FitContext,
    settings: &SolverConfig,
    start: Option<&Head>,
    precision: Precision,
) -> Result<Option<FitResult>> {
    if precision.is_over() {
        return Ok(None);
    }
    let found = match settings.clone() {
        SolverConfig::Lbfgs(config) => {
            let params = LbfgsConfig { allow_unconverged: true, ..config }.check()?;
            context.lbfgs(&params, start, precision)
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
