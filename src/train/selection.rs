//! Chooses among candidates by their scores over folds, and estimates how the choice does on images that had no part in it.

use super::split_rows::SplitRows;
use crate::head::{FitResult, StopOn};
use crate::metrics::{ResampledMean, corrected_resampled_t_test};
use crate::run::FoldScore;
use std::ops::Range;

/// Score of a head on images that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HeldOutScore {
    pub images: usize,
    /// Mean cross entropy.
    pub loss: f64,
    /// Fraction of correct answers, 0 to 1.
    pub accuracy: f64,
}

impl HeldOutScore {
    /// That of the best epoch of a fit, which has measured it on the validation rows of `splits`.
    pub fn of(splits: &SplitRows, fitted: &FitResult) -> Self {
        let best = &fitted.history[fitted.best_epoch - 1];
        Self {
            images: splits.validation.keys.len(),
            loss: best.validation_loss,
            accuracy: best.validation_accuracy,
        }
    }
}

/// Scores of one candidate, fold by fold; `None` where its fit failed.
pub(crate) type FoldScores = Vec<Option<HeldOutScore>>;

/// Which candidate is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule<'a> {
    /// The one with the best mean score, the first of equals.
    Best,
    /// Of the best candidates of each group, the first one whose mean score is within one standard error of the best of all
    /// (Breiman et al. 1984, *Classification and Regression Trees*, section 3.4.3). Groups are sorted from the simplest one;
    /// within a group none is simpler than another. The error is that of the differences between both, fold by fold.
    OneStandardError {
        /// The group of each candidate, in ascending order.
        groups: &'a [usize],
    },
}

/// Scores of all candidates over the same folds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoreTable<'a> {
    /// `[candidate][fold]`; the folds of one repeat follow one another.
    pub scores: &'a [FoldScores],
    /// Folds of one repeat.
    pub folds: usize,
    /// The measure that counts.
    pub by: StopOn,
    pub rule: Rule<'a>,
}

/// How much worse a candidate is than another, over folds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub mean: f64,
    /// Allows for folds that share train images; 0 for a single fold.
    pub standard_error: f64,
}

impl ScoreTable<'_> {
    /// Chooses a candidate by all folds. `None` if every candidate failed in one of them.
    pub fn choose(&self) -> Option<usize> {
        self.choose_by(&self.all_folds())
    }

    /// How much worse candidate `a` is than `b`.
    pub fn difference(&self, a: usize, b: usize) -> Option<Difference> {
        self.difference_over(a, b, &self.all_folds())
    }

    /// Accuracy of the choice on images that had no part in it: for each fold the choice is made by the other folds of its
    /// repeat, and scored on it. The fits are those that the choice itself needs (as in Tsamardinos et al. 2018, *Machine
    /// Learning* 107, 1895-1922), so nothing is fitted anew. `None` for fewer than three folds.
    pub fn nested(&self) -> Option<ResampledMean> {
        corrected_resampled_t_test(&self.nested_accuracies()?, self.test_to_train())
    }

    /// The accuracies of [`ScoreTable::nested`], fold by fold.
    pub fn nested_accuracies(&self) -> Option<Vec<f64>> {
        let accuracy = |fold: usize| {
            let repeat = fold / self.folds * self.folds;
            let others: Vec<usize> = (repeat..repeat + self.folds).filter(|&other| other != fold).collect();
            Some(self.scores[self.choose_by(&others)?][fold]?.accuracy)
        };
        if self.folds < 3 {
            return None;
        }
        self.all_folds().into_iter().map(accuracy).collect()
    }

    fn all_folds(&self) -> Vec<usize> {
        (0..self.scores.first().map_or(0, Vec::len)).collect()
    }

    /// Images of a fold divided by those that its heads are fitted to.
    pub fn test_to_train(&self) -> f64 {
        1.0 / (self.folds.max(2) - 1) as f64
    }

    /// A number that is smaller for a better score.
    fn rank(&self, candidate: usize, fold: usize) -> Option<f64> {
        let score = self.scores[candidate][fold]?;
        Some(if self.by == StopOn::Loss { score.loss } else { -score.accuracy })
    }

    fn choose_by(&self, folds: &[usize]) -> Option<usize> {
        let mean = |candidate| -> Option<f64> {
            let sum = folds.iter().map(|&fold| self.rank(candidate, fold)).sum::<Option<f64>>()?;
            Some(sum / folds.len() as f64).filter(|mean| mean.is_finite())
        };
        let best_of = |candidates: Range<usize>| {
            let all = candidates.filter_map(|candidate| Some((candidate, mean(candidate)?)));
            all.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(best, _)| best)
        };
        let best = best_of(0..self.scores.len())?;
        let is_as_good = |&candidate: &usize| {
            let difference = self.difference_over(candidate, best, folds);
            difference.is_some_and(|worse| worse.mean <= worse.standard_error)
        };
        match self.rule {
            Rule::Best => Some(best),
            Rule::OneStandardError { groups } => {
                let mut end = 0;
                let ranges = groups.chunk_by(|a, b| a == b).map(|group| {
                    end += group.len();
                    end - group.len()..end
                });
                ranges.filter_map(best_of).find(is_as_good)
            }
        }
    }

    fn difference_over(&self, a: usize, b: usize, folds: &[usize]) -> Option<Difference> {
        let difference = |&fold: &usize| Some(self.rank(a, fold)? - self.rank(b, fold)?);
        let differences: Vec<f64> = folds.iter().map(difference).collect::<Option<_>>()?;
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let deviation = corrected_resampled_t_test(&differences, 0.0).map_or(0.0, |mean| mean.deviation);
        // Nadeau and Bengio 2003, as in the test.
        let standard_error = deviation * (1.0 / n + self.test_to_train()).sqrt();
        mean.is_finite().then_some(Difference { mean, standard_error })
    }
}

/// Scores of all folds together, where each image counts once a repeat. `None` where a fit failed.
pub(crate) fn pooled(scores: &[Option<HeldOutScore>]) -> Option<FoldScore> {
    let scores: Vec<HeldOutScore> = scores.iter().copied().collect::<Option<_>>()?;
    let images: usize = scores.iter().map(|score| score.images).sum();
    let mean = |of: fn(&HeldOutScore) -> f64| {
        scores.iter().map(|score| score.images as f64 * of(score)).sum::<f64>() / images.max(1) as f64
    };
    let (loss, accuracy) = (mean(|score| score.loss), mean(|score| score.accuracy));
    Some(FoldScore { folds: scores.len(), images, loss, accuracy })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(losses: &[f64]) -> FoldScores {
        let score = |&loss: &f64| Some(HeldOutScore { images: 10, loss, accuracy: 1.0 - loss / 10.0 });
        losses.iter().map(score).collect()
    }

    /// Each candidate is a group of its own.
    const ONE_ERROR: Rule = Rule::OneStandardError { groups: &[0, 1, 2] };

    fn table<'a>(scores: &'a [FoldScores], rule: Rule<'a>) -> ScoreTable<'a> {
        ScoreTable { scores, folds: 5, by: StopOn::Loss, rule }
    }

    #[test]
    fn the_simplest_candidate_within_one_standard_error_is_chosen() {
        let best = [1.0, 1.1, 0.9, 1.2, 0.8];
        // Worse by 0.1 in the mean, now more, now less: the corrected error is 0.27.
        let near = [1.5, 0.9, 1.2, 1.5, 0.4];
        // Worse by 0.1 in every fold.
        let always_worse = best.map(|loss| loss + 0.1);
        for (first, chosen) in [(near, 0), (always_worse, 1)] {
            let all = [scores(&first), scores(&best)];
            let apart = Rule::OneStandardError { groups: &[0, 1] };
            assert_eq!(table(&all, apart).choose(), Some(chosen));
            let together = Rule::OneStandardError { groups: &[0, 0] };
            assert_eq!(table(&all, together).choose(), Some(1), "within a group the best one");
            assert_eq!(table(&all, Rule::Best).choose(), Some(1));
        }
        let worse = table(&[scores(&near), scores(&best)], Rule::Best).difference(0, 1).unwrap();
        assert!((worse.mean - 0.1).abs() < 1e-12 && (0.2..0.35).contains(&worse.standard_error), "{worse:?}");
    }

    #[test]
    fn a_candidate_that_failed_in_a_fold_is_not_chosen() {
        let mut failed = scores(&[0.1; 5]);
        failed[2] = None;
        let nan = scores(&[f64::NAN; 5]);
        let all = [failed.clone(), nan, scores(&[1.0; 5])];
        for rule in [Rule::Best, ONE_ERROR] {
            assert_eq!(table(&all, rule).choose(), Some(2));
        }
        assert_eq!(table(&[failed.clone()], Rule::Best).choose(), None);
        assert_eq!((pooled(&failed), table(&[failed], Rule::Best).nested()), (None, None));
    }

    #[test]
    fn the_nested_estimate_does_not_profit_from_the_choice() {
        // Each of five candidates is lucky in one fold: the choice by the other folds never profits from it.
        let lucky = |own: usize| {
            scores(&std::array::from_fn::<f64, 5, _>(|fold| if fold == own { 0.0 } else { 5.0 }))
        };
        let all: Vec<FoldScores> = (0..5).map(lucky).collect();
        let nested = table(&all, Rule::Best).nested().unwrap();
        assert!((nested.mean - 0.5).abs() < 1e-12, "{nested:?}");
        assert_eq!(pooled(&all[0]).unwrap().accuracy, 0.6);
        // Folds of another repeat hold the same images, so they have no say.
        let twice = [
            [scores(&[1.0, 1.0, 9.0]), scores(&[2.0; 3])].concat(),
            [scores(&[2.0; 3]), scores(&[1.0; 3])].concat(),
        ];
        let table = ScoreTable { scores: &twice, folds: 3, by: StopOn::Loss, rule: Rule::Best };
        let expected = [0.8, 0.8, 0.1, 0.9, 0.9, 0.9].iter().sum::<f64>() / 6.0;
        assert!((table.nested().unwrap().mean - expected).abs() < 1e-12);
        assert_eq!(
            ScoreTable { scores: &twice, folds: 2, by: StopOn::Loss, rule: Rule::Best }.nested(),
            None
        );
    }
}
