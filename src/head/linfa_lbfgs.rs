//! The optimum of the softmax head by the L-BFGS of `linfa-logistic`, in float64. The only door to it. It is slower than
//! [`super::lbfgs`] and kept as a second opinion.

use super::labelled_features::LabelledFeatures;
use super::layer::Layer;
use super::lbfgs::{Convergence, LbfgsResult, check_classes, check_penalty};
use super::result::{Epoch, FitResult};
use super::softmax::gradient_in_place;
use super::softmax_head::Head;
use crate::error::{Error, Kind, Result};
use crate::math::matrix::Matrix;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::MultiLogisticRegression;
use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Settings of linfa's L-BFGS, not checked yet.
///
/// | field | default | range |
/// |---|---|---|
/// | `l2` | none: it must be given (the `Default` of 0 fails the check) | above 0 |
/// | `iterations` | 1000 | 1 and up |
/// | `allow_unconverged` | no | yes, no |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinfaConfig {
    /// L2 penalty, as in [`LbfgsConfig`](super::lbfgs::LbfgsConfig).
    pub l2: f64,
    /// Maximum number of iterations.
    pub iterations: usize,
    /// Whether a search that ends before the optimum gives a head, which is marked, instead of an error. Runs of version
    /// 0.1.0 were written so.
    #[serde(default = "yes")]
    pub allow_unconverged: bool,
}

fn yes() -> bool {
    true
}

/// Checked settings of linfa's L-BFGS.
#[derive(Debug, Clone, Copy)]
pub struct LinfaParams(LinfaConfig);

impl Default for LinfaConfig {
    fn default() -> Self {
        Self { l2: 0.0, iterations: 1000, allow_unconverged: false }
    }
}

impl LinfaConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Kind::Usage`] if a value is out of range; the message names the field.
    pub fn check(self) -> Result<LinfaParams> {
        check_penalty(self.l2, self.iterations).map(|()| LinfaParams(self))
    }
}

/// Gradient norm at which the search ends. A tenth of the penalty is used if that is less, because the distance to the
/// optimum grows as the penalty shrinks.
const TOLERANCE: f64 = 1e-6;

/// Searches for the head of `classes` classes with the smallest loss on `train`, from zero weights.
///
/// # Errors
/// [`Kind::Run`] if a class has no train rows, a feature is not finite, the search fails, or it ends before the optimum and
/// the settings do not allow that.
///
/// # Panics
/// If a target is not below `classes`.
pub fn fit(
    classes: usize,
    train: LabelledFeatures,
    LinfaParams(settings): LinfaParams,
) -> Result<LbfgsResult> {
    let started = Instant::now();
    let (width, rows) = (train.features.width(), train.examples.len());
    let targets: Vec<usize> = train.targets().collect();
    let mut counts = vec![0; classes];
    targets.iter().for_each(|&target| counts[target] += 1);
    check_classes(&counts)?;
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
    let weights = w.iter().map(|w| w * w).sum::<f64>().sqrt();
    let convergence = Convergence::new(None, gradient, weights, settings.l2);
    if !convergence.is_optimum() && !settings.allow_unconverged {
        return Err(convergence.error());
    }
    let by_class: Vec<f32> = w.t().iter().map(|&w| w as f32).collect();
    let bias = b.iter().map(|&b| b as f32).collect();
    let head = Head { hidden: None, output: Layer { weight: Matrix::from_rows(width, &by_class), bias } };
    let score = head.score(train);
    let whole = Epoch {
        epoch: 1,
        train_loss: score.loss,
        train_accuracy: score.accuracy,
        validation_loss: 0.0,
        validation_accuracy: 0.0,
        seconds: started.elapsed().as_secs_f64(),
    };
    let fitted = FitResult { head, best_epoch: 1, history: vec![whole] };
    Ok(LbfgsResult { fitted, convergence })
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
    use crate::head::lbfgs::test_data::blobs;

    #[test]
    fn an_unfinished_search_is_an_error_unless_it_is_allowed() {
        let (x, y) = blobs();
        let rows = LabelledFeatures { features: &x, examples: &y };
        let config = LinfaConfig { l2: 1e-6, iterations: 1, allow_unconverged: false };
        let error = fit(3, rows, config.check().unwrap()).unwrap_err();
        assert!(error.to_string().contains("ended before the optimum"), "{error}");
        let config = LinfaConfig { allow_unconverged: true, ..config };
        assert!(!fit(3, rows, config.check().unwrap()).unwrap().convergence.is_optimum());
    }

    #[test]
    fn features_that_are_not_finite_are_an_error() {
        let examples = [0, 1].map(|i| Example { row: i, target: i });
        let x = Matrix::from_rows(1, &[f32::NAN, 1.0]);
        let rows = LabelledFeatures { features: &x, examples: &examples };
        let config = LinfaConfig { l2: 1.0, iterations: 9, allow_unconverged: true };
        assert!(fit(2, rows, config.check().unwrap()).is_err());
    }
}
