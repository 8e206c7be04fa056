//! Scores of a whole confusion matrix that allow for chance: balanced accuracy, Matthews correlation, Cohen's kappa.

/// Sums of a confusion matrix.
struct Sums {
    total: f64,
    correct: f64,
    /// Number of rows of each label.
    labels: Vec<f64>,
    /// Number of rows predicted as each class.
    predicted: Vec<f64>,
}

impl Sums {
    fn of(confusion: &[Vec<usize>]) -> Self {
        let classes = confusion.len();
        let labels: Vec<f64> = confusion.iter().map(|row| row.iter().sum::<usize>() as f64).collect();
        let column = |class: usize| confusion.iter().map(|row| row[class]).sum::<usize>() as f64;
        Self {
            total: labels.iter().sum(),
            correct: (0..classes).map(|class| confusion[class][class] as f64).sum(),
            predicted: (0..classes).map(column).collect(),
            labels,
        }
    }

    /// Sum over classes of labels times predictions.
    fn chance(&self) -> f64 {
        self.labels.iter().zip(&self.predicted).map(|(labels, predicted)| labels * predicted).sum()
    }
}

/// Computes the mean recall, 0 to 1, over the classes that have rows. Returns `None` without rows.
///
/// `confusion` is `[classes, classes]` with labels as rows.
///
/// # Panics
/// When the matrix is not square.
pub fn balanced_accuracy(confusion: &[Vec<usize>]) -> Option<f64> {
    let labels: Vec<usize> = confusion.iter().map(|row| row.iter().sum()).collect();
    let occurring = || labels.iter().enumerate().filter(|(_, n)| **n > 0);
    let sum: f64 = occurring().map(|(class, &n)| confusion[class][class] as f64 / n as f64).sum();
    let classes = occurring().count();
    (classes > 0).then(|| sum / classes as f64)
}

/// Computes Matthews' correlation of labels and predictions, -1 to 1, for any number of classes (Gorodkin 2004,
/// *Computational Biology and Chemistry* 28, 367-374, equation 8). 0 is chance. Returns `None` where it is undefined: all
/// labels, or all predictions, are of one class.
///
/// # Panics
/// When the matrix is not square.
pub fn matthews_correlation(confusion: &[Vec<usize>]) -> Option<f64> {
    let sums = Sums::of(confusion);
    let sum_of_differing_pairs =
        |counts: &[f64]| sums.total * sums.total - counts.iter().map(|n| n * n).sum::<f64>();
    let product = sum_of_differing_pairs(&sums.labels) * sum_of_differing_pairs(&sums.predicted);
    (product > 0.0).then(|| (sums.correct * sums.total - sums.chance()) / product.sqrt())
}

/// Computes Cohen's kappa of labels and predictions, at most 1 (Cohen 1960, *Educational and Psychological Measurement* 20,
/// 37-46). 0 is chance. Returns `None` without rows, and where all labels and predictions are of one class.
///
/// # Panics
/// When the matrix is not square.
pub fn cohens_kappa(confusion: &[Vec<usize>]) -> Option<f64> {
    let sums = Sums::of(confusion);
    let by_chance = sums.chance() / sums.total / sums.total;
    let share = sums.correct / sums.total;
    (by_chance < 1.0).then(|| (share - by_chance) / (1.0 - by_chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        // Labels 3 and 2 of 5, predictions 3 and 2; 4 - chance (9 + 4) / 5 = 1.4 of 5 - 2.6 = 2.4.
        let table = [vec![2, 1], vec![1, 1]];
        assert_eq!(balanced_accuracy(&table), Some((2.0 / 3.0 + 0.5) / 2.0));
        let (kappa, mcc) = (cohens_kappa(&table).unwrap(), matthews_correlation(&table).unwrap());
        assert!((kappa - 2.0 / 12.0).abs() < 1e-12 && (mcc - 2.0 / 12.0).abs() < 1e-12, "{kappa} {mcc}");
    }

    #[test]
    fn scores_without_two_classes_are_undefined() {
        let one = [vec![3, 0], vec![0, 0]];
        assert_eq!((matthews_correlation(&one), cohens_kappa(&one)), (None, None));
        assert_eq!(balanced_accuracy(&one), Some(1.0));
        assert_eq!(
            (balanced_accuracy(&[]), matthews_correlation(&[]), cohens_kappa(&[])),
            (None, None, None)
        );
    }
}
