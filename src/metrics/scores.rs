//! Accuracy, confusion matrix, precision, recall and F1.

use super::wilson::wilson_interval;
use serde::{Deserialize, Serialize};

/// Precision, recall and F1 of one class, each 0 to 1; `None` where the denominator is zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Name of the class.
    pub name: String,
    /// Rows of this class.
    pub support: usize,
    /// Rows predicted as this class.
    pub predicted: usize,
    /// Correct predictions of the class / `predicted`.
    pub precision: Option<f64>,
    /// Correct predictions of the class / `support`.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall: 2 correct / (support + predicted).
    pub f1: Option<f64>,
    /// The 95 % Wilson interval of the precision.
    pub precision_interval: Option<[f64; 2]>,
    /// The 95 % Wilson interval of the recall.
    pub recall_interval: Option<[f64; 2]>,
}

/// Share of one class in the labels and in the predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    /// Name of the class.
    pub name: String,
    /// Share of the rows with this label, 0 to 1.
    pub truth: f64,
    /// Share of the rows predicted as this class, 0 to 1.
    pub predicted: f64,
    /// (predicted - truth) / truth; `None` where no row has this label.
    pub relative_difference: Option<f64>,
}

/// Compares the composition of the labels with that of the predictions, in class order. Returns an empty list without rows.
pub fn composition(scores: &[ClassScore]) -> Vec<ClassShare> {
    let rows: usize = scores.iter().map(|score| score.support).sum();
    let share = |n: usize| n as f64 / rows as f64;
    let one = |score: &ClassScore| ClassShare {
        name: score.name.clone(),
        truth: share(score.support),
        predicted: share(score.predicted),
        relative_difference: (score.support > 0)
            .then(|| (score.predicted as f64 - score.support as f64) / score.support as f64),
    };
    if rows == 0 { Vec::new() } else { scores.iter().map(one).collect() }
}

/// Computes the share of rows, 0 to 1, whose class is among the `k` classes of largest probability. Of equal probabilities
/// the class with the smaller index ranks first. Returns `None` without rows.
///
/// `truth` holds the class index of each row, `probabilities` one row of `[classes]` each.
///
/// # Panics
/// When the number of rows differs, or a class index is not below the length of its row.
pub fn top_k_accuracy<R: AsRef<[f32]>>(
    truth: &[usize],
    probabilities: impl IntoIterator<Item = R>,
    k: usize,
) -> Option<f64> {
    let rank = |row: &[f32], class: usize| {
        row.iter().enumerate().filter(|&(i, &p)| p > row[class] || (p == row[class] && i < class)).count()
    };
    let rows: Vec<R> = probabilities.into_iter().collect();
    assert_eq!(rows.len(), truth.len(), "one row of probabilities for each label");
    let hits = truth.iter().zip(&rows).filter(|&(&class, row)| rank(row.as_ref(), class) < k).count();
    (!truth.is_empty()).then(|| hits as f64 / truth.len() as f64)
}

/// Computes the share of correct predictions, 0 to 1, from class indices. Returns `None` without rows.
///
/// # Panics
/// When the lengths differ.
pub fn accuracy(truth: &[usize], predicted: &[usize]) -> Option<f64> {
    assert_eq!(truth.len(), predicted.len(), "one prediction for each label");
    let correct = truth.iter().zip(predicted).filter(|(t, p)| t == p).count();
    (!truth.is_empty()).then(|| correct as f64 / truth.len() as f64)
}

/// Counts the pairs of label and prediction, given as class indices. Returns `[classes, classes]` counts; rows are labels,
/// columns predictions.
///
/// # Panics
/// When the lengths differ, or a class index is not below `classes`.
pub fn confusion(truth: &[usize], predicted: &[usize], classes: usize) -> Vec<Vec<usize>> {
    assert_eq!(truth.len(), predicted.len(), "one prediction for each label");
    let mut table = vec![vec![0; classes]; classes];
    for (&t, &p) in truth.iter().zip(predicted) {
        table[t][p] += 1;
    }
    table
}

/// Computes the scores of every class from a confusion matrix, `[classes, classes]` with labels as rows.
///
/// # Panics
/// When the matrix has fewer rows or columns than there are names.
pub fn class_scores(names: &[String], confusion: &[Vec<usize>]) -> Vec<ClassScore> {
    let ratio = |a: usize, b: usize| (b > 0).then(|| a as f64 / b as f64);
    names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let correct = confusion[class][class];
            let support: usize = confusion[class].iter().sum();
            let predicted: usize = confusion.iter().map(|row| row[class]).sum();
            ClassScore {
                name: name.clone(),
                support,
                predicted,
                precision: ratio(correct, predicted),
                recall: ratio(correct, support),
                f1: ratio(2 * correct, support + predicted),
                precision_interval: wilson_interval(correct, predicted),
                recall_interval: wilson_interval(correct, support),
            }
        })
        .collect()
}

/// Computes the mean F1, 0 to 1, over the classes that occur among labels or predictions. Returns `None` when none does.
pub fn macro_f1(scores: &[ClassScore]) -> Option<f64> {
    let defined: Vec<f64> = scores.iter().filter_map(|score| score.f1).collect();
    (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
}

/// Computes the accuracy, 0 to 1, of always predicting `class`. With the most frequent class of the training images this is
/// the majority-class baseline. Returns `None` without rows.
pub fn constant_accuracy(truth: &[usize], class: usize) -> Option<f64> {
    accuracy(truth, &vec![class; truth.len()])
}

/// Computes the accuracy, 0 to 1, of each batch of `size` consecutive rows. The last batch may be smaller.
///
/// # Panics
/// When the lengths differ, or `size` is 0.
pub fn batch_accuracies(truth: &[usize], predicted: &[usize], size: usize) -> Vec<f64> {
    assert_eq!(truth.len(), predicted.len(), "one prediction for each label");
    truth.chunks(size).zip(predicted.chunks(size)).filter_map(|(t, p)| accuracy(t, p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["a", "b", "c"].map(String::from).to_vec()
    }

    #[test]
    fn scores_by_hand() {
        let (truth, predicted) = ([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0]);
        let table = confusion(&truth, &predicted, 3);
        assert_eq!(table, [[2, 1, 0], [1, 2, 0], [0, 0, 0]]);
        let scores = class_scores(&names(), &table);
        assert_eq!(scores[0].precision, Some(2.0 / 3.0));
        assert_eq!((scores[2].precision, scores[2].recall, scores[2].f1), (None, None, None));
        assert_eq!(macro_f1(&scores), Some(2.0 / 3.0));
        assert_eq!(accuracy(&truth, &predicted), Some(4.0 / 6.0));
        assert_eq!(constant_accuracy(&truth, 0), Some(0.5));
    }

    #[test]
    fn compositions_by_hand() {
        let table = confusion(&[0, 0, 0, 1], &[0, 1, 2, 1], 3);
        let shares = composition(&class_scores(&names(), &table));
        let found: Vec<_> = shares.iter().map(|s| (s.truth, s.predicted, s.relative_difference)).collect();
        assert_eq!(found, [(0.75, 0.25, Some(-2.0 / 3.0)), (0.25, 0.5, Some(1.0)), (0.0, 0.25, None)]);
        assert!(composition(&[]).is_empty());
    }

    #[test]
    fn top_k_by_hand_and_with_equal_probabilities() {
        let rows = [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.2, 0.2, 0.6]];
        let shares = [1, 2, 3].map(|k| top_k_accuracy(&[0, 0, 1], rows, k).unwrap());
        assert_eq!(shares, [1.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_eq!(top_k_accuracy::<Vec<f32>>(&[], [], 1), None);
    }

    #[test]
    fn the_last_batch_may_be_smaller() {
        assert_eq!(batch_accuracies(&[0, 1, 1], &[0, 0, 1], 2), [0.5, 1.0]);
        assert!(batch_accuracies(&[], &[], 32).is_empty());
    }

    #[test]
    fn scores_without_rows_are_undefined() {
        assert_eq!(accuracy(&[], &[]), None);
        assert_eq!(constant_accuracy(&[], 0), None);
        assert_eq!(macro_f1(&class_scores(&names(), &confusion(&[], &[], 3))), None);
    }

    #[test]
    #[should_panic(expected = "one prediction for each label")]
    fn unequal_lengths_are_not_truncated() {
        confusion(&[0, 1], &[0], 2);
    }
}
