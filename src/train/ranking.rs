//! Ranks sets of features by the accuracies of their heads in the same folds, with paired differences from the best one.

use crate::metrics::{ResampledMean, corrected_resampled_t_test};

/// Accuracies of the heads of one set of features.
#[derive(Debug, Clone)]
pub(in crate::train) struct FoldAccuracies {
    /// Fold by fold, 0 to 1, in the same folds for every set; three folds or more.
    pub accuracies: Vec<f64>,
    /// Number of features.
    pub width: usize,
    /// Train images of a fold.
    pub images: usize,
}

/// A set of features among others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::train) struct Ranked {
    /// Its place in what was given.
    pub index: usize,
    /// Mean accuracy over the folds.
    pub accuracy: ResampledMean,
    /// The accuracy less that of the best, fold by fold; `None` for the best.
    pub difference: Option<ResampledMean>,
}

/// Ranks `sets`, the most accurate one first; of equals the one with fewer features. `folds` is the number of folds of one repeat.
///
/// # Panics
/// If `sets` is empty, or one has no accuracies.
pub(in crate::train) fn rank(sets: &[FoldAccuracies], folds: usize) -> Vec<Ranked> {
    let mean = |i: usize| sets[i].accuracies.iter().sum::<f64>() / sets[i].accuracies.len() as f64;
    let mut order: Vec<usize> = (0..sets.len()).collect();
    order.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)).then(sets[a].width.cmp(&sets[b].width)));
    let best = order[0];
    let test = |values: &[f64]| {
        corrected_resampled_t_test(values, 1.0 / (folds.max(2) - 1) as f64)
            .expect("there are three folds or more")
    };
    let ranked = |index: usize| {
        let FoldAccuracies { accuracies, images, .. } = &sets[index];
        let differences: Vec<f64> =
            accuracies.iter().zip(&sets[best].accuracies).map(|(a, b)| a - b).collect();
        let difference = (index != best).then(|| test(&differences));
        Ranked { index, accuracy: test(accuracies).of_shares(*images), difference }
    };
    order.into_iter().map(ranked).collect()
}

/// Whether the best set may be no better than one with this difference from it: the interval holds 0.
pub(in crate::train) fn may_be_as_good(difference: Option<ResampledMean>) -> bool {
    difference.is_none_or(|difference| difference.interval[1] >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(width: usize, accuracies: &[f64]) -> FoldAccuracies {
        FoldAccuracies { accuracies: accuracies.to_vec(), width, images: 20 }
    }

    #[test]
    fn the_most_accurate_set_comes_first_and_of_equals_the_narrower_one() {
        let sets = [set(9, &[0.5, 0.7, 0.6]), set(8, &[0.6, 0.8, 0.7]), set(4, &[0.7, 0.6, 0.8])];
        let ranked = rank(&sets, 3);
        assert_eq!(ranked.iter().map(|one| one.index).collect::<Vec<_>>(), [2, 1, 0]);
        assert!(ranked[0].difference.is_none());
        // Each fold of the last is compared with the same fold of the first.
        let difference = ranked[2].difference.expect("it is not the best");
        assert!((difference.mean - (-0.2 + 0.1 - 0.2) / 3.0).abs() < 1e-12, "{difference:?}");
        assert_eq!(difference.n, 3);
    }
}
