//! Scores of L-BFGS heads along a path of penalties. Searches end earlier here than for a head that is kept, and begin at the
//! optimum of the next larger penalty; the heads themselves are dropped.

use super::fit_context::FitContext;
use super::path_fold::PathFold;
use super::selection::{FoldScores, HeldOutScore, pooled};
use super::split_rows::SplitRows;
use crate::error::Result;
use crate::head::{Head, LbfgsResult, Precision, Probabilities, SolverConfig};
use crate::math::parallel::in_parallel;
use crate::metrics::{Temperature, apply_temperature, fit_temperature, log_loss};
use std::time::Instant;

/// A penalty whose loss is above the smallest one by more than this share ends a path.
const CLEARLY_ABOVE: f64 = 0.01;

/// Two penalties, one after the other, whose losses are above the smallest one by more than this share end a path. Where
/// features are small, the largest penalties differ by less.
const ABOVE: f64 = 0.001;

/// How a path is scored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PathScoring {
    /// Whether the losses that are returned are those of probabilities at the temperature which predictions use: fitted to all
    /// held-out answers, where it differs significantly from 1. Else they are those of the probabilities as they are.
    pub calibrated: bool,
    /// The time at which the path ends, wherever it is.
    pub until: Option<Instant>,
}

/// Probabilities of the held-out images of one fold, with their classes.
struct Answers {
    truth: Vec<usize>,
    probabilities: Probabilities,
}

/// Scores penalties along a path, the largest first. Before each but the first one `goes_on` is asked, with the losses so far
/// as they are: calibrated ones of the largest penalties are nearly equal, and say little of where the path leads. The path ends
/// where it says no. A penalty that is not scored in all folds when the time is over is left out.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for settings out of range or of a class that does not exist,
/// [`Kind::Input`](crate::error::Kind::Input) when a class has no train rows.
///
/// # Panics
/// If only some of the settings standardize: the folds of a path share their rows.
pub(crate) fn along_path<'a>(
    context: FitContext<'a>,
    folds: &[&'a SplitRows],
    path: &[SolverConfig],
    scoring: PathScoring,
    goes_on: &mut dyn FnMut(&[FoldScores]) -> bool,
) -> Result<Vec<FoldScores>> {
    let standardizes =
        |settings: &SolverConfig| matches!(settings, SolverConfig::Lbfgs(config) if config.standardize);
    let is_one = path.windows(2).all(|pair| standardizes(&pair[0]) == standardizes(&pair[1]));
    assert!(is_one, "the settings of a path differ in their penalty alone");
    let (mut all, mut calibrated) = (Vec::<FoldScores>::new(), Vec::new());
    let outer = context.threads.clamp(1, folds.len().max(1));
    let threads = (context.threads / outer).max(1);
    let of_fold = |splits: &&'a SplitRows| PathFold::new(FitContext { splits, threads, ..context });
    let mut folds: Vec<PathFold> = folds.iter().map(of_fold).collect();
    let precision = Precision::Scores { until: scoring.until };
    for settings in path {
        if !all.is_empty() && !goes_on(&all) {
            break;
        }
        let reductions = in_parallel(outer, &folds, |fold| Ok(fold.reduction(settings)))?;
        folds.iter_mut().zip(reductions).for_each(|(fold, reduction)| fold.reduce(reduction));
        let found = in_parallel(outer, &folds, |fold| {
            let fitted = fold.fit(settings, precision)?;
            let held_out = fitted.as_ref().map(|LbfgsResult { fitted, .. }| {
                let answers = scoring.calibrated.then(|| Answers::of(fold.context(), &fitted.head));
                (HeldOutScore::of(fold.context().splits, fitted), answers)
            });
            Ok((held_out, fitted))
        })?;
        let (held_out, fitted): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        // What failed at the end of the time was given up.
        if precision.is_over() && held_out.iter().any(Option::is_none) {
            break;
        }
        folds.iter_mut().zip(fitted).for_each(|(fold, fitted)| fold.go_on(fitted));
        all.push(held_out.iter().map(|one| one.as_ref().map(|(score, _)| *score)).collect());
        calibrated.push(at_their_temperature(&held_out));
    }
    Ok(if scoring.calibrated { calibrated } else { all })
}

/// The scores with the losses of the answers at the temperature that predictions of such heads use.
fn at_their_temperature(held_out: &[Option<(HeldOutScore, Option<Answers>)>]) -> FoldScores {
    let answers = || held_out.iter().flatten().filter_map(|(_, answers)| answers.as_ref());
    let truth: Vec<usize> = answers().flat_map(|one| one.truth.iter().copied()).collect();
    let fitted = fit_temperature(&truth, answers().flat_map(|one| &one.probabilities));
    let temperature = Temperature::effective(fitted);
    let score = |(score, answers): &(HeldOutScore, Option<Answers>)| {
        Some(HeldOutScore { loss: answers.as_ref()?.loss(temperature)?, ..*score })
    };
    held_out.iter().map(|one| one.as_ref().and_then(score)).collect()
}

impl Answers {
    fn of(context: FitContext, head: &Head) -> Self {
        let held_out = context.table.select(&context.splits.validation);
        let truth = context.splits.validation.targets.iter().map(|&target| target as usize).collect();
        Self { truth, probabilities: head.probabilities_of(held_out.rows()) }
    }

    /// Mean cross entropy at a temperature; `None` without images.
    fn loss(&self, temperature: f64) -> Option<f64> {
        log_loss(&self.truth, self.probabilities.into_iter().map(|row| apply_temperature(row, temperature)))
    }
}

/// Whether a path has passed its smallest loss: the latest penalty is clearly worse, or the latest two are worse.
pub(crate) fn has_passed_the_minimum(scores: &[FoldScores]) -> bool {
    let losses: Vec<f64> = scores.iter().map(|scores| pooled(scores).map_or(f64::NAN, |s| s.loss)).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let mut latest = losses.iter().rev().map(|loss| loss / least - 1.0);
    let (last, before) = (latest.next().unwrap_or(0.0), latest.next().unwrap_or(0.0));
    last > CLEARLY_ABOVE || (last > ABOVE && before > ABOVE)
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

    #[test]
    fn calibration_ranks_heads_by_what_they_know_and_not_by_how_sure_they_are() {
        // 60 of 80 and 64 of 80 answers are right; those of the second head are far too cautious.
        let scored = |correct: usize, sure: f32| {
            let answer = |i| if i < correct { [sure, 1.0 - sure] } else { [1.0 - sure, sure] };
            let rows: Vec<f32> = (0..80).flat_map(answer).collect();
            let answers = Answers { truth: vec![0; 80], probabilities: Probabilities::from_values(2, rows) };
            let as_it_is = answers.loss(1.0).unwrap();
            let score = HeldOutScore { images: 80, loss: as_it_is, accuracy: correct as f64 / 80.0 };
            (as_it_is, at_their_temperature(&[Some((score, Some(answers)))])[0].unwrap())
        };
        let (sure, cautious) = (scored(60, 0.75), scored(64, 0.52));
        assert!(sure.0 < cautious.0 && sure.1.loss > cautious.1.loss);
        assert_eq!((sure.1.loss, cautious.1.accuracy, cautious.1.images), (sure.0, 0.8, 80));
        // The best loss of 80 % correct answers.
        let entropy = -(0.8f64 * 0.8f64.ln() + 0.2 * 0.2f64.ln());
        assert!((cautious.1.loss - entropy).abs() < 1e-6, "{cautious:?}");
        // Where all answers are right no temperature is best.
        let certain = scored(80, 0.75);
        assert_eq!(certain.1.loss, certain.0);
        assert_eq!(at_their_temperature(&[None]), [None]);
    }
}
