//! An approximation of the inverse Hessian of the loss, which the search corrects by what it sees along its steps. It stays the
//! same until the curvature of the loss has changed.

use super::inverse::inverse;
use crate::head::kernel::{Batch, Kernel};
use crate::head::labelled_features::Example;
use crate::head::standardize::RunningMoments;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::in_parallel;

/// Mean and variance of each feature as the search sees it.
#[derive(Debug)]
pub(super) struct FeatureScales {
    /// Means of the features as they are.
    pub mean: Vec<f64>,
    /// Factors on the centred features: 1, or 1 / standard deviation.
    pub factor: Vec<f64>,
    /// Variances of the centred and scaled features.
    pub variance: Vec<f64>,
}

impl FeatureScales {
    /// From the moments of the features as they are.
    pub fn of(moments: &RunningMoments, standardize: bool) -> Self {
        let (mean, mut variance) = (moments.mean().to_vec(), moments.variance());
        let mut factor = vec![1.0; mean.len()];
        if standardize {
            factor = moments.deviations().into_iter().map(f64::recip).collect();
            variance.iter_mut().zip(&factor).for_each(|(variance, factor)| *variance *= factor * factor);
        }
        Self { mean, factor, variance }
    }
}

/// Change of the mean curvature that makes a preconditioner useless. The search then starts anew, without the steps
/// before: where classes are separable the first step leads far beyond the optimum, to probabilities of 0 and 1 and hardly any
/// curvature, and what is learned there misleads the search when it comes back.
const CHANGE: f64 = 2.0;

/// Least share of the total variance, times the curvature, that is added to the diagonal of a dense one: float32 can invert it.
const LEAST_PENALTY: f64 = 1e-6;

/// The approximation at one point.
#[derive(Debug)]
pub(super) struct Preconditioner {
    weights: Weights,
    /// `[classes]`.
    bias: Vec<f32>,
    /// Mean curvature over the classes.
    curvature: f64,
}

#[derive(Debug)]
enum Weights {
    /// The inverse for each weight, `[classes * stride]`.
    Diagonal(Vec<f32>),
    /// The inverse for the weights of any class, `[stride, stride]`.
    Dense(Matrix),
}

impl Preconditioner {
    /// The inverse of the diagonal: for the weight of class k and feature j, the mean curvature of k's logit times the variance
    /// of j, and the penalty; for the bias of k, the mean curvature. Features are centred, so weights and bias are nearly
    /// independent.
    pub fn diagonal(scales: &FeatureScales, curvature: &[f64], stride: usize, l2: f64) -> Self {
        let mut inverse = vec![0.0; curvature.len() * stride];
        for (row, &curvature) in inverse.chunks_exact_mut(stride).zip(curvature) {
            for (inverse, variance) in row.iter_mut().zip(&scales.variance) {
                *inverse = (1.0 / (curvature * variance + l2)) as f32;
            }
        }
        Self { weights: Weights::Diagonal(inverse), bias: of_bias(curvature), curvature: mean(curvature) }
    }

    /// The inverse of the covariance of the features, times the mean curvature of all logits, and the penalty. Only the lower half
    /// of `covariance` is read. `None` where that cannot be inverted in float32.
    pub fn dense(
        covariance: &Matrix,
        curvature: &[f64],
        l2: f64,
        kernel: Kernel,
        threads: usize,
    ) -> Option<Self> {
        let mean = mean(curvature);
        let n = covariance.rows();
        let total: f64 = (0..n).map(|i| f64::from(covariance.row(i)[i])).sum();
        let penalty = l2.max(LEAST_PENALTY * mean * total) as f32;
        let mut hessian = covariance.clone();
        hessian.padded_mut(0..n).iter_mut().for_each(|value| *value *= mean as f32);
        (0..n).for_each(|i| hessian.row_mut(i)[i] += penalty);
        let weights = Weights::Dense(inverse(kernel, hessian, threads)?);
        Some(Self { weights, bias: of_bias(curvature), curvature: mean })
    }

    pub fn is_dense(&self) -> bool {
        matches!(self.weights, Weights::Dense(_))
    }

    /// Whether the curvature of the logits, per class, is still about that of which this was made.
    pub fn fits(&self, curvature: &[f64]) -> bool {
        let mean = mean(curvature);
        mean <= CHANGE * self.curvature && self.curvature <= CHANGE * mean
    }

    /// The product with a gradient.
    pub fn apply(&self, gradient: &[f64], kernel: Kernel, threads: usize) -> Vec<f32> {
        let (weights, bias) = gradient.split_at(gradient.len() - self.bias.len());
        let mut scaled = match &self.weights {
            Weights::Diagonal(inverse) => weights.iter().zip(inverse).map(|(&g, &d)| g as f32 * d).collect(),
            Weights::Dense(inverse) => times(inverse, weights, kernel, threads),
        };
        scaled.extend(bias.iter().zip(&self.bias).map(|(&g, &d)| g as f32 * d));
        scaled
    }
}

/// The product of a symmetric `matrix`, `[stride, stride]`, with each row of `weights`, `[classes, stride]`.
fn times(matrix: &Matrix, weights: &[f64], kernel: Kernel, threads: usize) -> Vec<f32> {
    let stride = matrix.rows();
    let classes = weights.len() / stride;
    let single: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    let single = Matrix::from_rows(stride, &single);
    let rows: Vec<Example> = (0..stride as u32).map(|row| Example { row, target: 0 }).collect();
    let groups: Vec<&[Example]> = rows.chunks(GROUP).collect();
    let products = in_parallel(threads, &groups, |examples| {
        let mut out = vec![0.0; GROUP * classes];
        let batch = Batch { features: matrix.padded(), stride, examples };
        kernel.products(batch, single.padded(), 0..stride, &mut out);
        Ok(out)
    });
    let mut all = vec![0.0; weights.len()];
    for (group, product) in products.expect("products cannot fail").iter().enumerate() {
        for (class, to) in all.chunks_exact_mut(stride).enumerate() {
            let column = product[class..].iter().step_by(classes);
            to[group * GROUP..][..GROUP].iter_mut().zip(column).for_each(|(to, value)| *to = *value);
        }
    }
    all
}

/// The inverse for the biases. A class that is certain everywhere has no curvature left; its bias needs no long steps.
fn of_bias(curvature: &[f64]) -> Vec<f32> {
    let least = 1e-9 + 1e-3 * mean(curvature);
    curvature.iter().map(|curvature| (1.0 / curvature.max(least)) as f32).collect()
}

pub(super) fn mean(curvature: &[f64]) -> f64 {
    curvature.iter().sum::<f64>() / curvature.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_one_inverts_the_covariance_with_the_penalty() {
        // Two features that are correlated, and padding.
        let mut covariance = Matrix::zeros(64, 64);
        covariance.row_mut(0)[0] = 2.0;
        covariance.row_mut(1)[..2].copy_from_slice(&[1.0, 3.0]);
        let kernel = Kernel::new();
        let dense = Preconditioner::dense(&covariance, &[0.3, 0.1], 0.1, kernel, 1).unwrap();
        assert!(dense.is_dense() && dense.fits(&[0.5, 0.2]) && !dense.fits(&[0.01, 0.01]));
        let mut gradient = vec![0.0; 2 * 65];
        (gradient[0], gradient[64 + 1], gradient[128], gradient[129]) = (1.0, -2.0, 3.0, 3.0);
        let found = dense.apply(&gradient, kernel, 2);
        // The Hessian is [[0.5, 0.2], [0.2, 0.7]], with a determinant of 0.31.
        let expected = [
            (0, 0.7 / 0.31),
            (1, -0.2 / 0.31),
            (64, 0.4 / 0.31),
            (65, -1.0 / 0.31),
            (128, 10.0),
            (129, 30.0),
        ];
        for (i, value) in found.iter().enumerate() {
            let expected = expected.iter().find(|(at, _)| *at == i).map_or(0.0, |(_, value)| *value);
            assert!((f64::from(*value) - expected).abs() < 1e-5, "{i}: {value} {expected}");
        }
        covariance.row_mut(1)[1] = -9.0;
        assert!(Preconditioner::dense(&covariance, &[0.3, 0.1], 0.1, kernel, 1).is_none());
    }
}
