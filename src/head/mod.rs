//! The softmax head: a linear layer over features, its training with Adam and early stopping or with L-BFGS, its file.
//! The only door to `ndarray`; everyone else hands over plain slices.

mod adam;
mod estimator;
mod file;
mod fit;
mod lbfgs;
pub mod reject;
mod softmax;
mod solver;

pub use estimator::{SoftmaxClassifier, SoftmaxRegression};
pub use file::{load, save};
pub use fit::{Epoch, FitConfig, FitParams, Fitted, Rows, fit};
pub use lbfgs::{Found, LbfgsConfig, LbfgsParams, fit as fit_lbfgs};
pub use solver::{SolverConfig, SolverParams};

use crate::rng::Rng;
use ndarray::{Array1, Array2, ArrayView2};
use softmax::softmax_in_place;

/// A linear layer `logits = weight · features + bias`, followed by softmax.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// `[width, classes]`: transposed against the file, because training reads it so.
    weight: Array2<f32>,
    /// `[classes]`.
    bias: Array1<f32>,
}

impl Head {
    /// A fresh head: Glorot uniform weights (Glorot and Bengio 2010, eq. 16), zero bias.
    pub fn fresh(width: usize, classes: usize, seed: u64) -> Self {
        let limit = (6.0 / (width + classes) as f32).sqrt();
        let mut rng = Rng::new(seed, 0);
        let weight = Array2::from_shape_simple_fn((width, classes), || rng.uniform(-limit, limit));
        Self { weight, bias: Array1::zeros(classes) }
    }

    /// From `weight` as `[classes, width]` and `bias` as `[classes]`; `None` when the lengths do not fit.
    pub fn from_parts(weight: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        let classes = bias.len();
        let width = weight.len().checked_div(classes)?;
        let by_class = Array2::from_shape_vec((classes, width), weight).ok()?;
        Some(Self { weight: by_class.t().as_standard_layout().into_owned(), bias: bias.into() })
    }

    /// Floats in a feature row.
    pub fn width(&self) -> usize {
        self.weight.nrows()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// The weight as `[classes, width]`, row after row.
    pub fn weight(&self) -> Vec<f32> {
        self.weight.t().iter().copied().collect()
    }

    /// The bias, `[classes]`.
    pub fn bias(&self) -> Vec<f32> {
        self.bias.to_vec()
    }

    /// Probabilities of each class for rows of features (`n * width` floats): `n` rows of `classes` floats that sum
    /// to one.
    ///
    /// # Panics
    /// When `features` is not a whole number of rows.
    pub fn probabilities(&self, features: &[f32]) -> Vec<Vec<f32>> {
        let mut logits = self.logits(view(features, self.width()));
        softmax_in_place(&mut logits);
        logits.rows().into_iter().map(|row| row.to_vec()).collect()
    }

    fn logits(&self, features: ArrayView2<f32>) -> Array2<f32> {
        features.dot(&self.weight) + &self.bias
    }
}

/// The index of the largest value; the first of equals.
pub fn argmax(values: &[f32]) -> usize {
    (0..values.len()).reduce(|best, i| if values[i] > values[best] { i } else { best }).unwrap_or(0)
}

fn view(features: &[f32], width: usize) -> ArrayView2<'_, f32> {
    let rows = features.len() / width.max(1);
    ArrayView2::from_shape((rows, width), features).expect("a whole number of rows")
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
