//! The optimum of the softmax head by L-BFGS, in float64. The only door to `linfa-logistic`. For `l2` above 0 the loss is
//! strongly convex in the weights, so there is one optimum: no seed, no learning rate, no early stopping.

use super::labelled_features::LabelledFeatures;
use super::linear::Head;
use super::result::{Epoch, FitResult};
use super::softmax::gradient_in_place;
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Matrix;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::Instant;

/// Settings of L-BFGS, not checked yet.
///
/// | field | default | range |
/// |---|---|---|
/// | `l2` | none: it must be given (the `Default` of 0 fails the check) | above 0 |
/// | `iterations` | 1000 | 1 and up |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LbfgsConfig {
    /// L2 penalty: the loss is mean cross entropy + l2/2 times the squared weights, without the bias. Without a penalty
    /// separable classes have no optimum.
    pub l2: f64,
    /// Maximum number of iterations.
    pub iterations: usize,
}

/// Checked settings of L-BFGS.
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
    /// [`Kind::Usage`] if a value is out of range; the message names the field.
    pub fn check(self) -> Result<LbfgsParams> {
        if !(self.l2 > 0.0 && self.l2.is_finite()) {
            return Err(Error::new(Kind::Usage, "the L-BFGS solver needs `l2` above 0").help(
                "without a penalty the weights of separable classes grow without bound; try an `l2` of 0.0001",
            ));
        }
        match self.iterations {
            0 => Err(Error::new(Kind::Usage, "`iterations` must be at least 1")),
            _ => Ok(LbfgsParams(self)),
        }
    }
}

/// Relative distance from the optimum up to which a head counts as optimal.
const OPTIMAL: f64 = 0.01;

/// Gradient norm at which the search ends. A tenth of the penalty is used if that is less, because the distance to the
/// optimum grows as the penalty shrinks.
const TOLERANCE: f64 = 1e-6;

/// A head found by L-BFGS.
#[derive(Debug, Clone)]
pub struct LbfgsResult {
    /// The head. Its history is one entry for the whole search.
    pub fitted: FitResult,
    /// An upper bound on the distance of the weights from the optimum, relative to their norm: the norm of the gradient /
    /// (l2 times the norm of the weights). The loss is strongly convex in the weights with modulus l2, so they are no
    /// farther from the optimum than |gradient| / l2 (Nesterov 2004, *Introductory Lectures on Convex Optimization*,
    /// section 2.1.3). The bias counts as optimal.
    pub distance: f64,
}

impl LbfgsResult {
    /// Whether the weights are within 1 % of the optimum.
    pub fn is_optimum(&self) -> bool {
        self.distance <= OPTIMAL
    }
}

/// Searches for the head of `classes` classes with the smallest loss on `train`, from zero weights. `validation` has no
/// influence on the head; its loss is reported.
///
/// # Errors
/// [`Kind::Run`] if a class has no train rows, a feature is not finite, or the search fails.
///
/// # Panics
/// If a target is not below `classes`, or the widths of `train` and `validation` differ.
pub fn fit(
    classes: usize,
    train: LabelledFeatures,
    validation: LabelledFeatures,
    LbfgsParams(settings): LbfgsParams,
) -> Result<LbfgsResult> {
    let started = Instant::now();
    let (width, rows) = (train.features.width(), train.examples.len());
    let targets: Vec<usize> = train.targets().collect();
    let present: HashSet<usize> = targets.iter().copied().collect();
    if let Some(class) = (0..classes).find(|class| !present.contains(class)) {
        return Err(Error::new(Kind::Run, format!("class {class} has no train rows")));
    }
    let x: Vec<f64> = train.feature_rows().flatten().map(|&x| f64::from(x)).collect();
    let x = Array2::from_shape_vec((rows, width), x).expect("rows of this width");
    let data = DatasetBase::new(x, Array1::from(targets.clone()));
    // linfa-logistic sums over the rows where the loss here is a mean: both penalty and tolerance grow with the rows.
    let model = MultiLogisticRegression::default()
        .alpha(settings.l2 * rows as f64)
        .gradient_tolerance(TOLERANCE.min(0.1 * settings.l2).max(f64::MIN_POSITIVE) * rows as f64)
        .max_iterations(settings.iterations as u64)
        .fit(&data)
        .map_err(|e| Error::new(Kind::Run, "L-BFGS failed").because(e.to_string()))?;
    let (w, b) = (model.params(), model.intercept());
    let gradient = gradient_norm(data.records(), &targets, w, b, settings.l2);
    if !gradient.is_finite() {
        return Err(
            Error::new(Kind::Run, "L-BFGS ended at weights that are not finite").help("try a larger `l2`")
        );
    }
    let distance = gradient / (settings.l2 * w.iter().map(|w| w * w).sum::<f64>().sqrt());
    let by_class: Vec<f32> = w.t().iter().map(|&w| w as f32).collect();
    let head =
        Head { weight: Matrix::from_rows(width, &by_class), bias: b.iter().map(|&b| b as f32).collect() };
    let fitted = as_one_epoch(head, train, validation, started);
    Ok(LbfgsResult { fitted, distance })
}

/// Reports the whole search as one epoch.
fn as_one_epoch(
    head: Head,
    train: LabelledFeatures,
    validation: LabelledFeatures,
    started: Instant,
) -> FitResult {
    let (train, validation) = (head.score(train), head.score(validation));
    let whole = Epoch {
        epoch: 1,
        train_loss: train.loss,
        train_accuracy: train.accuracy,
        validation_loss: validation.loss,
        validation_accuracy: validation.accuracy,
        seconds: started.elapsed().as_secs_f64(),
    };
    FitResult { head, best_epoch: 1, history: vec![whole] }
}

/// Computes the norm of the gradient of the loss. For softmax with cross entropy the gradient is
/// X^T (p - one-hot) / n + l2 W for the weights, and the mean of (p - one-hot) for the bias.
fn gradient_norm(x: &Array2<f64>, targets: &[usize], w: &Array2<f64>, b: &Array1<f64>, l2: f64) -> f64 {
    let mut delta = x.dot(w) + b;
    gradient_in_place(&mut delta, targets);
    let (weight, bias) = (x.t().dot(&delta) + w * l2, delta.sum_axis(Axis(0)));
    weight.iter().chain(&bias).map(|gradient| gradient * gradient).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Example;
    use crate::math::random::Rng;

    /// Three blobs of four features.
    fn blobs() -> (Matrix, Vec<Example>) {
        let mut rng = Rng::new(3, 9);
        let examples: Vec<Example> = (0..90).map(|row| Example { row, target: row % 3 }).collect();
        let row = |e: &Example| [0, 1, 2, 3].map(|i| f32::from(i == e.target) + 0.7 * rng.normal());
        let values: Vec<f32> = examples.iter().flat_map(row).collect();
        (Matrix::from_rows(4, &values), examples)
    }

    fn fit_blobs(l2: f64, iterations: usize) -> LbfgsResult {
        let (x, y) = blobs();
        let rows = LabelledFeatures { features: &x, examples: &y };
        fit(3, rows, rows, LbfgsConfig { l2, iterations }.check().unwrap()).unwrap()
    }

    #[test]
    fn no_head_nearby_has_a_smaller_loss() {
        let (x, y) = blobs();
        let rows = LabelledFeatures { features: &x, examples: &y };
        let found = fit_blobs(0.1, 1000);
        assert!(found.is_optimum(), "{}", found.distance);
        let fitted = found.fitted;
        let loss = |head: &Head| {
            let squares: f64 = head.weight.values().map(|w| f64::from(w).powi(2)).sum();
            head.score(rows).loss + 0.05 * squares
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
    fn an_unfinished_search_is_reported() {
        assert!(!fit_blobs(1e-6, 1).is_optimum());
    }

    #[test]
    fn a_class_without_rows_and_bad_settings_are_refused() {
        let examples = [0, 1].map(|i| Example { row: i, target: i });
        let x = Matrix::from_rows(1, &[0.0, 1.0]);
        let rows = LabelledFeatures { features: &x, examples: &examples };
        let params = LbfgsConfig { l2: 1.0, iterations: 9 }.check().unwrap();
        let error = fit(3, rows, rows, params).unwrap_err();
        assert!(error.to_string().contains("class 2 has no train rows"), "{error}");
        for l2 in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                LbfgsConfig { l2, iterations: 9 }.check().unwrap_err().to_string().contains("`l2` above 0")
            );
        }
        let x = Matrix::from_rows(1, &[f32::NAN, 1.0]);
        let rows = LabelledFeatures { features: &x, examples: &examples };
        assert!(fit(2, rows, rows, params).is_err());
    }
}
