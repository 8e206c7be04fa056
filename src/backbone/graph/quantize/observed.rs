//! What calibration sees at one value of a network.

use super::compensation::Compensation;
use super::histogram::Histogram;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};

/// What the images of the calibration gave at one value of the network.
#[derive(Debug, Clone, Default)]
pub(in crate::backbone) struct Observed {
    pub(super) histogram: Histogram,
    /// The sum of the means of each channel, over images.
    channel_sums: Vec<f64>,
    /// The sum of the means of the products of each two channels, over images; `None` where nobody needs them.
    products: Option<Array2<f32>>,
    images: usize,
}

impl Observed {
    /// Observes a value with `channels` channels together with their products.
    pub(super) fn with_products(channels: usize) -> Self {
        Self { products: Some(Array2::zeros((channels, channels))), ..Self::default() }
    }

    /// Adds the values of one image, `[channels, positions]`.
    pub fn add(&mut self, channels: usize, values: &[f32]) {
        self.histogram.add(values);
        self.channel_sums.resize(channels, 0.0);
        let positions = (values.len() / channels.max(1)).max(1);
        for (sum, channel) in self.channel_sums.iter_mut().zip(values.chunks_exact(positions)) {
            *sum += channel.iter().map(|&value| f64::from(value)).sum::<f64>() / positions as f64;
        }
        if let Some(products) = &mut self.products
            && let Ok(values) = ArrayView2::from_shape((products.nrows(), positions), values)
        {
            general_mat_mul(1.0 / positions as f32, &values, &values.t(), 1.0, products);
        }
        self.images += 1;
    }

    pub(super) fn channel_means(&self) -> Vec<f64> {
        self.channel_sums.iter().map(|sum| sum / self.images.max(1) as f64).collect()
    }

    /// How the channels vary together, if their products were observed and they do.
    pub(super) fn compensation(&self) -> Option<Compensation> {
        let products = self.products.as_ref()?;
        let (means, images) = (self.channel_means(), self.images.max(1) as f64);
        let covariance =
            |((a, b), sum): ((usize, usize), &f32)| f64::from(*sum) / images - means[a] * means[b];
        let covariance: Vec<f64> = products.indexed_iter().map(covariance).collect();
        (means.len() == products.nrows()).then(|| Compensation::of(&covariance, means.len()))?
    }
}
