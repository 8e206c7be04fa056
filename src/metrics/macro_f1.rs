//! Macro F1 of a sample as an estimate: its interval, and that of the difference of two classifiers.

use super::wilson::{Z95, wilson_of_share};

/// A row of labels and prediction, as class indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelledPrediction {
    /// Index of the label.
    pub truth: usize,
    /// Index of the predicted class.
    pub predicted: usize,
}

/// Macro F1 of a confusion matrix with what each cell contributes to its variance.
struct MacroF1 {
    value: f64,
    /// The derivative of macro F1 by the share of each cell, less its mean over rows: `[classes, classes]`.
    influence: Vec<Vec<f64>>,
    /// Number of rows that would vary as much if macro F1 were an accuracy.
    effective_rows: f64,
}

impl MacroF1 {
    fn of(rows: &[LabelledPrediction], classes: usize) -> Option<Self> {
        let (mut labels, mut predicted, mut hits) =
            (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
        for row in rows {
            labels[row.truth] += 1.0;
            predicted[row.predicted] += 1.0;
            hits[row.truth] += f64::from(u8::from(row.truth == row.predicted));
        }
        let occurs = |class: &usize| labels[*class] + predicted[*class] > 0.0;
        let occurring = (0..classes).filter(occurs).count() as f64;
        if occurring == 0.0 {
            return None;
        }
        let n = rows.len() as f64;
        // F1 = 2 hits / (labels + predicted), by shares of the rows.
        let sum = |class: usize| (labels[class] + predicted[class]) / n;
        let f1 = |class: usize| if sum(class) > 0.0 { 2.0 * hits[class] / n / sum(class) } else { 0.0 };
        let value = (0..classes).map(f1).sum::<f64>() / occurring;
        let derivative = |class: usize| if sum(class) > 0.0 { f1(class) / sum(class) } else { 0.0 };
        let mut influence = vec![vec![0.0; classes]; classes];
        for (truth, row) in influence.iter_mut().enumerate() {
            for (predicted, cell) in row.iter_mut().enumerate() {
                let gain = if truth == predicted && sum(truth) > 0.0 { 2.0 / sum(truth) } else { 0.0 };
                *cell = (gain - derivative(truth) - derivative(predicted)) / occurring;
            }
        }
        let mean = rows.iter().map(|row| influence[row.truth][row.predicted]).sum::<f64>() / n;
        influence.iter_mut().flatten().for_each(|cell| *cell -= mean);
        let squares = rows.iter().map(|row| influence[row.truth][row.predicted].powi(2)).sum::<f64>() / n;
        let effective_rows = match squares > 0.0 && value > 0.0 && value < 1.0 {
            true => n * value * (1.0 - value) / squares,
            false => rows_of_equal_weight(&labels, occurring),
        };
        Some(Self { value, influence, effective_rows })
    }
}

/// The effective number of rows where no error was seen. An error in a class of `n` rows takes about `1 / n` from its F1; the
/// weights of the rows follow.
fn rows_of_equal_weight(labels: &[f64], occurring: f64) -> f64 {
    let weight = |n: f64| 1.0 / n / occurring;
    let counted = || labels.iter().copied().filter(|n| *n > 0.0);
    let sum: f64 = counted().map(|n| n * weight(n)).sum();
    let squares: f64 = counted().map(|n| n * weight(n).powi(2)).sum();
    sum * sum / squares
}

/// Computes the 95 % interval of macro F1, `[low, high]` within 0 to 1, over the classes that occur. Its variance is that of
/// the delta method (Takahashi et al. 2022, *Applied Intelligence* 52, 4961-4972); the interval is Wilson's for as many rows
/// as give an accuracy of this size the same variance, so that it stays within 0 to 1 and has a width even where no error was
/// seen. Returns `None` without rows.
///
/// # Panics
/// When a class index is not below `classes`.
pub fn macro_f1_interval(rows: &[LabelledPrediction], classes: usize) -> Option<[f64; 2]> {
    let estimate = MacroF1::of(rows, classes)?;
    Some(wilson_of_share(estimate.value, estimate.effective_rows))
}

/// Computes the difference of macro F1, first less second, of two classifiers on the same images, with its 95 % interval by
/// the delta method for paired rows, within -1 to 1. Where the classifiers agree on every image the interval is that of no
/// more than three images that they might differ on (the rule of three). Returns `None` without rows.
///
/// # Panics
/// When the numbers of rows differ, or a class index is not below `classes`.
pub fn paired_macro_f1_difference(
    first: &[LabelledPrediction],
    second: &[LabelledPrediction],
    classes: usize,
) -> Option<(f64, [f64; 2])> {
    assert_eq!(first.len(), second.len(), "two predictions for each image");
    let (one, two) = (MacroF1::of(first, classes)?, MacroF1::of(second, classes)?);
    let n = first.len() as f64;
    let difference = one.value - two.value;
    let of = |estimate: &MacroF1, row: &LabelledPrediction| estimate.influence[row.truth][row.predicted];
    let squares: f64 = first.iter().zip(second).map(|(a, b)| (of(&one, a) - of(&two, b)).powi(2)).sum();
    let half = match squares > 0.0 {
        true => Z95 * squares.sqrt() / n,
        false => (3.0 / one.effective_rows.min(two.effective_rows)).min(1.0),
    };
    Some((difference, [(difference - half).max(-1.0), (difference + half).min(1.0)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::wilson_interval;

    fn rows(pairs: &[(usize, usize, usize)]) -> Vec<LabelledPrediction> {
        let many =
            pairs.iter().map(|&(truth, predicted, n)| vec![LabelledPrediction { truth, predicted }; n]);
        many.flatten().collect()
    }

    #[test]
    fn the_derivatives_agree_with_finite_differences() {
        let base = [(0, 0, 30), (0, 1, 5), (1, 1, 20), (1, 2, 7), (2, 2, 10), (2, 0, 2)];
        let value = |rows: &[LabelledPrediction]| MacroF1::of(rows, 3).unwrap();
        let estimate = value(&rows(&base));
        for (at, &(truth, predicted, _)) in base.iter().enumerate() {
            // A thousand times the rows, then one more of a cell: its share grows by about 1/n.
            let mut more = base.map(|(t, p, n)| (t, p, n * 1000));
            let n: usize = more.iter().map(|cell| cell.2).sum();
            more[at].2 += 1;
            let change = (value(&rows(&more)).value - estimate.value) * n as f64;
            assert!((change - estimate.influence[truth][predicted]).abs() < 1e-3, "{at}: {change}");
        }
    }

    #[test]
    fn two_balanced_classes_without_errors_have_wilsons_interval() {
        let perfect = rows(&[(0, 0, 20), (1, 1, 20)]);
        let [low, high] = macro_f1_interval(&perfect, 2).unwrap();
        let [expected, _] = wilson_interval(40, 40).unwrap();
        assert!((low - expected).abs() < 1e-9 && high == 1.0, "{low} {expected}");
        // A small class makes it wider.
        let uneven = rows(&[(0, 0, 38), (1, 1, 2)]);
        assert!(macro_f1_interval(&uneven, 2).unwrap()[0] < low - 0.1);
        assert_eq!(macro_f1_interval(&[], 2), None);
    }

    #[test]
    fn equal_classifiers_differ_by_nothing_with_some_width() {
        let same = rows(&[(0, 0, 20), (0, 1, 3), (1, 1, 17)]);
        let (difference, [low, high]) = paired_macro_f1_difference(&same, &same, 2).unwrap();
        assert_eq!(difference, 0.0);
        assert!(low < -0.01 && high > 0.01 && low > -0.3, "{low} {high}");
    }
}
