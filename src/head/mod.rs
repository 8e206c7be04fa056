//! The softmax head: a linear layer over features, its training with Adam and early stopping or with L-BFGS, its file.
//! The only door to `ndarray`; everyone else hands over matrices and plain slices.

mod adam;
mod barrier;
mod config;
mod controls;
mod crew;
mod estimator;
mod file;
mod fit;
mod kernel;
mod lbfgs;
mod learner;
mod pace;
pub mod reject;
mod scale;
mod score;
mod softmax;
mod solver;

pub use config::{FitConfig, FitParams};
pub use controls::{ClassWeights, Schedule, StopOn};
pub use estimator::{SoftmaxClassifier, SoftmaxRegression};
pub use file::{load, save};
pub use fit::{Common, Epoch, Fitted, Job, Rows, Shuffled, Source, fit, fit_many};
pub use kernel::Example;
pub use lbfgs::{Found, LbfgsConfig, LbfgsParams, fit as fit_lbfgs};
pub use scale::{Moments, Scale};
pub use solver::{SolverConfig, SolverParams};

use crate::matrix::Matrix;
use crate::rng::Rng;
use kernel::{Batch, Kernel};

/// A linear layer `logits = weight · features + bias`, followed by softmax.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// One row a class.
    weight: Matrix,
    /// One number a class.
    bias: Vec<f32>,
}

impl Head {
    /// A fresh head: Glorot uniform weights (Glorot and Bengio 2010, eq. 16), zero bias.
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

    fn zeros(width: usize, classes: usize) -> Self {
        Self { weight: Matrix::zeros(classes, width), bias: vec![0.0; classes] }
    }

    /// From `weight` as `[classes, width]` and `bias` as `[classes]`; `None` when the lengths do not fit.
    pub fn from_parts(weight: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        let width = weight.len().checked_div(bias.len())?;
        (width * bias.len() == weight.len()).then(|| Self { weight: Matrix::from_rows(width, &weight), bias })
    }

    /// The head of more classes: class `i` of this one becomes class `places[i]`, the others are those of `fresh`.
    ///
    /// # Panics
    /// When `fresh` has another width or too few classes.
    pub fn grown(&self, places: &[usize], fresh: Self) -> Self {
        let mut grown = fresh;
        for (class, &place) in places.iter().enumerate() {
            grown.weight.row_mut(place).copy_from_slice(self.weight.row(class));
            grown.bias[place] = self.bias[class];
        }
        grown
    }

    /// Floats in a feature row.
    pub fn width(&self) -> usize {
        self.weight.width()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// The weight as `[classes, width]`, row after row.
    pub fn weight(&self) -> Vec<f32> {
        self.weight.values().collect()
    }

    /// The weight of one class, `[width]`.
    pub fn weight_of(&self, class: usize) -> &[f32] {
        self.weight.row(class)
    }

    /// The bias, `[classes]`.
    pub fn bias(&self) -> Vec<f32> {
        self.bias.clone()
    }

    /// Probabilities of each class for rows of features (`n * width` floats): `n` rows of `classes` floats that sum
    /// to one.
    ///
    /// # Panics
    /// When `features` is not a whole number of rows.
    pub fn probabilities(&self, features: &[f32]) -> Vec<Vec<f32>> {
        let features = Matrix::from_rows(self.width(), features);
        let examples: Vec<Example> =
            (0..features.rows() as u32).map(|row| Example { row, target: 0 }).collect();
        self.probabilities_of(Rows { features: &features, examples: &examples })
    }

    /// Probabilities of each class for some rows of a matrix, whatever their targets.
    ///
    /// # Panics
    /// When the matrix has another width.
    pub fn probabilities_of(&self, rows: Rows) -> Vec<Vec<f32>> {
        assert_eq!(rows.features.width(), self.width(), "as many features as the head has");
        let (kernel, examples) = (Kernel::new(), rows.examples);
        let batch = Batch { features: rows.features.padded(), stride: rows.features.stride(), examples };
        let mut z = vec![0.0; examples.len() * self.classes()];
        kernel.logits(batch, self.weight.padded(), &self.bias, &mut z);
        let mut totals = Vec::new();
        softmax::tally(kernel, &mut z, examples, &mut totals);
        let rows = z.chunks_exact(self.classes().max(1)).zip(totals);
        rows.map(|(row, total)| row.iter().map(|e| e / total).collect()).collect()
    }
}

/// The index of the largest value; the first of equals.
pub fn argmax(values: &[f32]) -> usize {
    (0..values.len()).reduce(|best, i| if values[i] > values[best] { i } else { best }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_by_hand() {
        // Logits (1, 2) and bias (0, 1): softmax(1, 3).
        let head = Head::from_parts(vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 1.0]).unwrap();
        let row = &head.probabilities(&[1.0, 2.0])[0];
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
