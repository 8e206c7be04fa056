//! An approximation of the inverse Hessian of the loss, which the search corrects by what it sees along its steps. It is the
//! diagonal one, and stays the same until the curvature of the loss has changed.

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

/// Change of the mean curvature that makes a preconditioner useless. It then starts anew, without the steps before: where
/// classes are separable the first step leads far beyond the optimum, to probabilities of 0 and 1 and hardly any curvature, and
/// what is learned there misleads the search when it comes back.
const CHANGE: f64 = 2.0;

/// The approximation at one point.
#[derive(Debug)]
pub(super) struct Preconditioner {
    /// `[classes * stride + classes]`.
    diagonal: Vec<f32>,
    /// Mean curvature over the classes.
    curvature: f64,
}

impl Preconditioner {
    /// The inverse of the diagonal: for the weight of class k and feature j, the mean curvature of k's logit times the variance
    /// of j, and the penalty; for the bias of k, the mean curvature. Features are centred, so weights and bias are nearly
    /// independent. The layout is that of [`super::objective::Objective`].
    pub fn diagonal(scales: &FeatureScales, curvature: &[f64], stride: usize, l2: f64) -> Self {
        let classes = curvature.len();
        let mut inverse = vec![0.0; classes * stride + classes];
        let (weights, bias) = inverse.split_at_mut(classes * stride);
        for (row, &curvature) in weights.chunks_exact_mut(stride).zip(curvature) {
            for (inverse, variance) in row.iter_mut().zip(&scales.variance) {
                *inverse = (1.0 / (curvature * variance + l2)) as f32;
            }
        }
        let mean = mean(curvature);
        // A class that is certain everywhere has no curvature left; its bias needs no long steps.
        let least = 1e-9 + 1e-3 * mean;
        bias.iter_mut()
            .zip(curvature)
            .for_each(|(inverse, curvature)| *inverse = (1.0 / curvature.max(least)) as f32);
        Self { diagonal: inverse, curvature: mean }
    }

    /// Whether the curvature of the logits, per class, is still about that of which this was made.
    pub fn fits(&self, curvature: &[f64]) -> bool {
        let mean = mean(curvature);
        mean <= CHANGE * self.curvature && self.curvature <= CHANGE * mean
    }

    /// The product with a gradient.
    pub fn apply(&self, gradient: &[f64]) -> Vec<f32> {
        gradient.iter().zip(&self.diagonal).map(|(&g, &d)| g as f32 * d).collect()
    }
}

fn mean(curvature: &[f64]) -> f64 {
    curvature.iter().sum::<f64>() / curvature.len() as f64
}
