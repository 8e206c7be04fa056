//! Batch norm at inference, as a factor and an offset per filter of the convolution before it.

/// The stored values of a batch norm, each `[filters]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchNorm<'a> {
    /// Scale; `None` stands for ones.
    pub gamma: Option<&'a [f32]>,
    /// Offset.
    pub beta: &'a [f32],
    /// Moving mean.
    pub mean: &'a [f32],
    /// Moving variance.
    pub variance: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
}

impl BatchNorm<'_> {
    /// Splits `gamma (x - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy 2015) into a factor for the kernel of each
    /// filter and its bias, in float64.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn factors_and_bias(&self) -> (Vec<f64>, Vec<f32>) {
        let gamma = |f: usize| self.gamma.map_or(1.0, |gamma| f64::from(gamma[f]));
        let factor = |f: usize| gamma(f) / (f64::from(self.variance[f]) + self.epsilon).sqrt();
        let factors: Vec<f64> = (0..self.beta.len()).map(factor).collect();
        let bias =
            |(f, factor): (usize, &f64)| (f64::from(self.beta[f]) - f64::from(self.mean[f]) * factor) as f32;
        let biases = factors.iter().enumerate().map(bias).collect();
        (factors, biases)
    }
}
