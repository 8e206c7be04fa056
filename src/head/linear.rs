//! The head itself: a linear layer followed by softmax.

use super::kernel::{Batch, Kernel};
use super::labelled_features::{Example, LabelledFeatures};
use super::loss::exponentiate;
use crate::math::matrix::{Matrix, Probabilities};
use crate::math::random::Rng;

/// A linear layer `logits = weight · features + bias`, followed by softmax.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// `[classes, width]`.
    pub(super) weight: Matrix,
    /// `[classes]`.
    pub(super) bias: Vec<f32>,
}

impl Head {
    /// Creates an untrained head: Glorot uniform weights (Glorot and Bengio 2010, eq. 16) drawn from `seed`, zero bias.
    pub fn fresh(width: usize, classes: usize, seed: u64) -> Self {
        let limit = (6.0 / (width + classes) as f32).sqrt();
        let mut rng = Rng::new(seed, 0);
        let mut head = Self::zeros(width, classes);
        for feature in 0..width {
            for class in 0..classes {
                head.weight.row_mut(class)[feature] = rng.uniform(-limit, limit);
            }
        }
        head
    }

    pub(super) fn zeros(width: usize, classes: usize) -> Self {
        Self { weight: Matrix::zeros(classes, width), bias: vec![0.0; classes] }
    }

    /// Creates a head from `weight`, `[classes, width]` row after row, and `bias`, `[classes]`. Returns `None` if the
    /// lengths do not fit together.
    pub fn from_parts(weight: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        let width = weight.len().checked_div(bias.len())?;
        (width * bias.len() == weight.len()).then(|| Self { weight: Matrix::from_rows(width, &weight), bias })
    }

    /// Returns the head extended by more classes: class `i` of this head becomes class `new_index[i]`; the other
    /// classes are those of `fresh`.
    ///
    /// # Panics
    /// If `fresh` has another width or too few classes.
    pub fn extended(&self, new_index: &[usize], fresh: Self) -> Self {
        let mut extended = fresh;
        for (class, &index) in new_index.iter().enumerate() {
            extended.weight.row_mut(index).copy_from_slice(self.weight.row(class));
            extended.bias[index] = self.bias[class];
        }
        extended
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.weight.width()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// A copy of the weight, `[classes, width]` row after row.
    pub fn weight(&self) -> Vec<f32> {
        self.weight.values().collect()
    }

    /// The weight of one class, `[width]`.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn weight_of(&self, class: usize) -> &[f32] {
        self.weight.row(class)
    }

    /// A copy of the bias, `[classes]`.
    pub fn bias(&self) -> Vec<f32> {
        self.bias.clone()
    }

    /// Computes the class probabilities of feature rows, `[rows, width]` row after row. A row with a value that is not
    /// finite has probabilities of NaN.
    ///
    /// # Panics
    /// If `features` is not a whole number of rows.
    pub fn probabilities(&self, features: &[f32]) -> Probabilities {
        let features = Matrix::from_rows(self.width(), features);
        let examples: Vec<Example> =
            (0..features.rows() as u32).map(|row| Example { row, target: 0 }).collect();
        self.probabilities_of(LabelledFeatures { features: &features, examples: &examples })
    }

    /// Computes the class probabilities of some rows of a matrix, in the order of the examples. Their targets are not
    /// looked at.
    ///
    /// # Panics
    /// If the matrix has another width than the head, or a target is not one of the head's classes.
    pub fn probabilities_of(&self, rows: LabelledFeatures) -> Probabilities {
        assert_eq!(rows.features.width(), self.width(), "as many features as the head has");
        let kernel = Kernel::new();
        let mut z = vec![0.0; rows.examples.len() * self.classes()];
        kernel.logits(Batch::of(rows), self.weight.padded(), &self.bias, &mut z);
        let mut totals = Vec::new();
        exponentiate(kernel, &mut z, rows.examples, &mut totals);
        for (row, total) in z.chunks_exact_mut(self.classes().max(1)).zip(totals) {
            row.iter_mut().for_each(|e| *e /= total);
        }
        Probabilities::from_values(self.classes(), z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::matrix::argmax;

    #[test]
    fn probabilities_by_hand() {
        // Logits (1, 2) and bias (0, 1): softmax(1, 3).
        let head = Head::from_parts(vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 1.0]).unwrap();
        let probabilities = head.probabilities(&[1.0, 2.0]);
        let row = probabilities.row(0);
        let expected = 1.0 / (1.0 + 2f32.exp());
        assert!((row[0] - expected).abs() < 1e-7, "{row:?}");
        assert_eq!(argmax(row), 1);
        assert_eq!(head.weight(), [1.0, 0.0, 0.0, 1.0]);
        assert!(Head::from_parts(vec![1.0; 5], vec![0.0; 2]).is_none());
    }

    #[test]
    fn fresh_weights_stay_within_glorot_bounds_and_follow_the_seed() {
        let head = Head::fresh(2048, 10, 7);
        let limit = (6.0f32 / 2058.0).sqrt();
        assert!(head.weight().iter().all(|w| w.abs() <= limit));
        assert!(head.weight().iter().any(|w| w.abs() > 0.99 * limit));
        assert_eq!(head, Head::fresh(2048, 10, 7));
        assert_ne!(head, Head::fresh(2048, 10, 8));
    }
}
