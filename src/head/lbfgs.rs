//! The optimum of the softmax head by L-BFGS, in float64, the only door to `linfa-logistic`. The loss is convex, so for
//! l2 above 0 the optimum is the one best head: no seed, no learning rate, no early stopping.

use super::Head;
use super::fit::{Epoch, Fitted, Rows};
use super::kernel::Example;
use super::softmax::slope_in_place;
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::Instant;

/// Settings of L-BFGS as typed.
///
/// | field | default | range |
/// |---|---|---|
/// | `l2` | none | above 0 |
/// | `iterations` | 1000 | 1 and up |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LbfgsConfig {
    /// The loss is mean cross entropy + l2/2 times the squared weights, the bias left out. Without a penalty separable
    /// classes have no optimum.
    pub l2: f64,
    /// The most iterations.
    pub iterations: usize,
}

/// Settings that have been checked.
#[derive(Debug, Clone, Copy)]
pub struct LbfgsParams(LbfgsConfig);

impl Default for LbfgsConfig {
    fn default() -> Self {
        Self { l2: 0.0, iterations: 1000 }
    }
}

impl LbfgsConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Kind::Usage`], naming the setting.
    pub fn check(self) -> Result<LbfgsParams> {
        if !(self.l2 > 0.0 && self.l2.is_finite()) {
            return Err(Error::new(Kind::Usage, "--solver lbfgs needs --l2 above 0")
                .help("without a penalty the weights of separable classes grow for ever; try --l2 0.0001"));
        }
        match self.iterations {
            0 => Err(Error::new(Kind::Usage, "--epochs must be at least 1")),
            _ => Ok(LbfgsParams(self)),
        }
    }
}

/// How far from the optimum the weights may be at most, relative to their norm, to be told as the optimum.
const NEAR: f64 = 0.01;

/// Norm of the loss's gradient at which the search ends; a tenth of the penalty where that is less, since the distance
/// to the optimum grows as the penalty shrinks.
const TOLERANCE: f64 = 1e-6;

/// A head that L-BFGS found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The head; its history is one entry that stands for the whole search.
    pub fitted: Fitted,
    /// A bound on its distance from the optimum: the norm of the gradient / (l2 times the norm of the weights). The loss
    /// is strongly convex in the weights with modulus l2, so they are no farther from the optimum than |gradient| / l2
    /// (Nesterov 2004, *Introductory Lectures on Convex Optimization*, section 2.1.3); the bias counts as settled.
    pub distance: f64,
}

impl Found {
    /// Whether the weights are within 1 % of the optimum.
    pub fn is_optimum(&self) -> bool {
        self.distance <= NEAR
    }
}

/// Looks for the head with the least loss on `train`, from zero weights.
///
/// # Errors
/// [`Kind::Run`] when a class of the `classes` has no train rows, a feature is no number, or the search fails.
pub fn fit(
    (width, classes): (usize, usize),
    train: Rows,
    validation: Rows,
    LbfgsParams(settings): LbfgsParams,
) -> Result<Found> {
    let started = Instant::now();
    let n = train.examples.len();
    let targets: Vec<usize> = train.examples.iter().map(|example| example.target as usize).collect();
    let present: HashSet<usize> = targets.iter().copied().collect();
    if let Some(class) = (0..classes).find(|class| !present.contains(class)) {
        return Err(Error::new(Kind::Run, format!("class {class} has no train rows")));
    }
    let row = |example: &Example| train.features.row(example.row as usize);
    let x: Vec<f64> = train.examples.iter().flat_map(row).map(|&x| f64::from(x)).collect();
    let x = Array2::from_shape_vec((n, width), x).expect("rows of this width");
    let data = DatasetBase::new(x, Array1::from(targets.clone()));
    // linfa-logistic sums over the rows where the loss here is a mean: both penalty and tolerance grow with n.
    let model = MultiLogisticRegression::default()
        .alpha(settings.l2 * n as f64)
        .gradient_tolerance(TOLERANCE.min(0.1 * settings.l2).max(f64::MIN_POSITIVE) * n as f64)
        .max_iterations(settings.iterations as u64)
        .fit(&data)
        .map_err(|e| Error::new(Kind::Run, "L-BFGS failed").because(e.to_string()))?;
    let (w, b) = (model.params(), model.intercept());
    let slope = gradient_norm(data.records(), &targets, w, b, settings.l2);
    if !slope.is_finite() {
        return Err(
            Error::new(Kind::Run, "L-BFGS ended at weights that are not numbers").help("try a larger --l2")
        );
    }
    let distance = slope / (settings.l2 * w.iter().map(|w| w * w).sum::<f64>().sqrt());
    let by_class: Vec<f32> = w.t().iter().map(|&w| w as f32).collect();
    let head =
        Head { weight: Matrix::from_rows(width, &by_class), bias: b.iter().map(|&b| b as f32).collect() };
    let (train_loss, train_accuracy) = head.score(train);
    let (validation_loss, validation_accuracy) = head.score(validation);
    let seconds = started.elapsed().as_secs_f64();
    let whole = Epoch { epoch: 1, train_loss, train_accuracy, validation_loss, validation_accuracy, seconds };
    Ok(Found { fitted: Fitted { head, best_epoch: 1, history: vec![whole] }, distance })
}

/// The norm of the loss's gradient: for softmax with cross entropy, X^T (p - onehot) / n + l2 W, and
/// the mean of (p - onehot) for the bias.
fn gradient_norm(x: &Array2<f64>, targets: &[usize], w: &Array2<f64>, b: &Array1<f64>, l2: f64) -> f64 {
    let mut delta = x.dot(w) + b;
    slope_in_place(&mut delta, targets);
    let (weight, bias) = (x.t().dot(&delta) + w * l2, delta.sum_axis(Axis(0)));
    weight.iter().chain(&bias).map(|slope| slope * slope).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Three blobs of four features.
    fn blobs() -> (Matrix, Vec<Example>) {
        let mut rng = Rng::new(3, 9);
        let examples: Vec<Example> = (0..90).map(|row| Example { row, target: row % 3 }).collect();
        let row = |e: &Example| [0, 1, 2, 3].map(|i| f32::from(i == e.target) + 0.7 * rng.normal());
        let values: Vec<f32> = examples.iter().flat_map(row).collect();
        (Matrix::from_rows(4, &values), examples)
    }

    fn fit_blobs(l2: f64, iterations: usize) -> Found {
        let (x, y) = blobs();
        let rows = Rows { features: &x, examples: &y };
        fit((4, 3), rows, rows, LbfgsConfig { l2, iterations }.check().unwrap()).unwrap()
    }

    #[test]
    fn no_head_nearby_has_a_smaller_loss() {
        let (x, y) = blobs();
        let rows = Rows { features: &x, examples: &y };
        let found = fit_blobs(0.1, 1000);
        assert!(found.is_optimum(), "{}", found.distance);
        let fitted = found.fitted;
        let loss = |head: &Head| {
            let squares: f64 = head.weight.values().map(|w| f64::from(w).powi(2)).sum();
            head.score(rows).0 + 0.05 * squares
        };
        let best = loss(&fitted.head);
        for i in 0..12 {
            for step in [-0.01, 0.01] {
                let mut moved = fitted.head.clone();
                moved.weight.row_mut(i / 4)[i % 4] += step;
                assert!(loss(&moved) > best, "weight {i} moved by {step}");
            }
        }
        assert_eq!(fit_blobs(0.1, 1000).fitted.head, fitted.head, "the same input gives the same bits");
    }

    #[test]
    fn an_unfinished_search_is_told() {
        assert!(!fit_blobs(1e-6, 1).is_optimum());
    }

    #[test]
    fn a_class_without_rows_and_bad_settings_are_refused() {
        let examples = [0, 1].map(|i| Example { row: i, target: i });
        let x = Matrix::from_rows(1, &[0.0, 1.0]);
        let rows = Rows { features: &x, examples: &examples };
        let params = LbfgsConfig { l2: 1.0, iterations: 9 }.check().unwrap();
        let error = fit((1, 3), rows, rows, params).unwrap_err();
        assert!(error.to_string().contains("class 2 has no train rows"), "{error}");
        for l2 in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                LbfgsConfig { l2, iterations: 9 }.check().unwrap_err().to_string().contains("--l2 above 0")
            );
        }
        let x = Matrix::from_rows(1, &[f32::NAN, 1.0]);
        let rows = Rows { features: &x, examples: &examples };
        assert!(fit((1, 2), rows, rows, params).is_err());
    }
}
