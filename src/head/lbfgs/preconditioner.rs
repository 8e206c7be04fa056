//! A diagonal approximation of the Hessian of the loss.

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

/// The inverse of the diagonal: for the weight of class k and feature j, the mean curvature of k's logit times the variance
/// of j, and the penalty; for the bias of k, the mean curvature. Features are centred, so weights and bias are nearly
/// independent. The layout is that of [`super::objective::Objective`].
pub(super) fn inverse_diagonal(
    scales: &FeatureScales,
    curvature: &[f64],
    stride: usize,
    l2: f64,
) -> Vec<f64> {
    let classes = curvature.len();
    let mut inverse = vec![0.0; classes * stride + classes];
    let (weights, bias) = inverse.split_at_mut(classes * stride);
    for (row, &curvature) in weights.chunks_exact_mut(stride).zip(curvature) {
        for (inverse, variance) in row.iter_mut().zip(&scales.variance) {
            *inverse = 1.0 / (curvature * variance + l2);
        }
    }
    // A class that is certain everywhere has no curvature left; its bias needs no long steps.
    let least = 1e-9 + 1e-3 * curvature.iter().sum::<f64>() / classes as f64;
    bias.iter_mut().zip(curvature).for_each(|(inverse, curvature)| *inverse = 1.0 / curvature.max(least));
    inverse
}
