//! How good a classifier is, from truths and predictions alone. Pure.

mod calibration;
mod confident;
mod conformal;
mod paired;
mod resampled;
mod spread;
mod temperature;

pub use calibration::{BINS, Bin, calibration_bins, calibration_error};
pub use confident::{Doubt, doubts};
pub use conformal::{Conformal, images_needed};
pub use paired::{Paired, mcnemar, paired_difference_interval};
pub use resampled::{Resampled, resampled};
pub use spread::{Spread, spread};
pub use temperature::{Temperature, fit_temperature, log_loss, tempered};

use serde::{Deserialize, Serialize};

/// The two-sided 95 % quantile of the standard normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// Precision, recall and F1 of one class; `None` where the denominator is zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// The class.
    pub name: String,
    /// Rows whose truth it is.
    pub support: usize,
    /// Rows for which it was predicted.
    pub predicted: usize,
    /// Right predictions of it / `predicted`.
    pub precision: Option<f64>,
    /// Right predictions of it / `support`.
    pub recall: Option<f64>,
    /// Harmonic mean of the two: 2 right / (support + predicted).
    pub f1: Option<f64>,
}

/// One class's share of the truth beside its share of the predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassShare {
    /// The class.
    pub name: String,
    /// Its share of the rows, 0 to 1.
    pub truth: f64,
    /// Its share of the predictions, 0 to 1.
    pub predicted: f64,
    /// (predicted - truth) / truth; `None` where the truth has none of it.
    pub relative_difference: Option<f64>,
}

/// The composition of the truth against that of the predictions, in class order; empty for no rows.
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

/// Share of rows whose truth is among the `k` classes of largest probability; of equal probabilities the class that
/// comes first counts as larger. `None` for no rows.
pub fn top_k_accuracy(truth: &[usize], probabilities: &[Vec<f32>], k: usize) -> Option<f64> {
    let before = |row: &[f32], t: usize| {
        row.iter().enumerate().filter(|&(i, &p)| p > row[t] || (p == row[t] && i < t)).count()
    };
    let hits = truth.iter().zip(probabilities).filter(|&(&t, row)| before(row, t) < k).count();
    (!truth.is_empty()).then(|| hits as f64 / truth.len() as f64)
}

/// Share of equal pairs; `None` for none.
pub fn accuracy(truth: &[usize], predicted: &[usize]) -> Option<f64> {
    let right = truth.iter().zip(predicted).filter(|(t, p)| t == p).count();
    (!truth.is_empty()).then(|| right as f64 / truth.len() as f64)
}

/// The 95 % score interval of a share of `right` in `n` (Wilson 1927, *J. Am. Stat. Assoc.* 22, 209-212), within
/// `[0, 1]`; `None` for n = 0.
pub fn wilson(right: usize, n: usize) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    let (n, share) = (n as f64, right as f64 / n as f64);
    let z2 = Z95 * Z95;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    Some([(centre - half).max(0.0), (centre + half).min(1.0)])
}

/// Counts of (truth, prediction): row `t`, column `p`.
pub fn confusion(truth: &[usize], predicted: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; classes]; classes];
    for (&t, &p) in truth.iter().zip(predicted) {
        table[t][p] += 1;
    }
    table
}

/// Scores of every class from a confusion table.
pub fn class_scores(names: &[String], confusion: &[Vec<usize>]) -> Vec<ClassScore> {
    let ratio = |a: usize, b: usize| (b > 0).then(|| a as f64 / b as f64);
    names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let right = confusion[class][class];
            let support: usize = confusion[class].iter().sum();
            let predicted: usize = confusion.iter().map(|row| row[class]).sum();
            ClassScore {
                name: name.clone(),
                support,
                predicted,
                precision: ratio(right, predicted),
                recall: ratio(right, support),
                f1: ratio(2 * right, support + predicted),
            }
        })
        .collect()
}

/// Mean F1 over the classes that occur in truth or prediction; `None` when none does.
pub fn macro_f1(scores: &[ClassScore]) -> Option<f64> {
    let defined: Vec<f64> = scores.iter().filter_map(|score| score.f1).collect();
    (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
}

/// Accuracy of answering `class` whatever the image; `None` for no rows. With the most frequent class of the train
/// images it is the majority baseline.
pub fn constant_accuracy(truth: &[usize], class: usize) -> Option<f64> {
    accuracy(truth, &vec![class; truth.len()])
}

/// Accuracy of each run of `size` rows in order; the last may be shorter.
pub fn batch_accuracies(truth: &[usize], predicted: &[usize], size: usize) -> Vec<f64> {
    truth.chunks(size).zip(predicted.chunks(size)).filter_map(|(t, p)| accuracy(t, p)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["a", "b", "c"].map(String::from).to_vec()
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81/263 and 15/148, 0/20, 1/29.
        for (right, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [l, h] = wilson(right, n).unwrap();
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{right}/{n}: {l} {h}");
        }
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(5, 5).unwrap()[1], 1.0);
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
        let told: Vec<_> = shares.iter().map(|s| (s.truth, s.predicted, s.relative_difference)).collect();
        assert_eq!(told, [(0.75, 0.25, Some(-2.0 / 3.0)), (0.25, 0.5, Some(1.0)), (0.0, 0.25, None)]);
        assert!(composition(&[]).is_empty());
    }

    #[test]
    fn top_k_by_hand_and_with_equal_probabilities() {
        let rows = [vec![0.5, 0.3, 0.2], vec![0.2, 0.2, 0.6], vec![0.2, 0.2, 0.6]];
        let shares = [1, 2, 3].map(|k| top_k_accuracy(&[0, 0, 1], &rows, k).unwrap());
        assert_eq!(shares, [1.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_eq!(top_k_accuracy(&[], &[], 1), None);
    }

    #[test]
    fn the_last_batch_counts_although_it_is_short() {
        assert_eq!(batch_accuracies(&[0, 1, 1], &[0, 0, 1], 2), [0.5, 1.0]);
        assert!(batch_accuracies(&[], &[], 32).is_empty());
    }

    #[test]
    fn nothing_measured_is_nothing_claimed() {
        assert_eq!(accuracy(&[], &[]), None);
        assert_eq!(constant_accuracy(&[], 0), None);
        assert_eq!(macro_f1(&class_scores(&names(), &confusion(&[], &[], 3))), None);
    }
}
