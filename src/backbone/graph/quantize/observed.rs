//! What calibration sees at one value of a network.

use super::compensation::Compensation;
use super::histogram::Histogram;
use crate::math::matrix::{Matrix, products};

/// What the images of the calibration gave at one value of the network.
#[derive(Debug, Clone, Default)]
pub(in crate::backbone) struct Observed {
    pub(super) histogram: Histogram,
    /// The sum of the means of each channel, over images.
    channel_sums: Vec<f64>,
    /// The sum of the means of the products of each two channels, over images, `[channels, channels]`; `None` where nobody needs
    /// them.
    products: Option<Vec<f32>>,
    images: usize,
}

impl Observed {
    /// Observes a value with `channels` channels together with their products.
    pub(super) fn with_products(channels: usize) -> Self {
        Self { products: Some(vec![0.0; channels * channels]), ..Self::default() }
    }

    /// Adds the values of one image, `[channels, positions]`.
    pub fn add(&mut self, channels: usize, values: &[f32]) {
        self.histogram.add(values);
        self.channel_sums.resize(channels, 0.0);
        let positions = (values.len() / channels.max(1)).max(1);
        for (sum, channel) in self.channel_sums.iter_mut().zip(values.chunks_exact(positions)) {
            *sum += channel.iter().map(|&value| f64::from(value)).sum::<f64>() / positions as f64;
        }
        if let Some(sums) = &mut self.products
            && values.len() == channels * positions
            && sums.len() == channels * channels
        {
            let rows = Matrix::from_rows(positions, values);
            let found = products([(&rows, 0..channels), (&rows, 0..channels)]);
            sums.iter_mut().zip(found).for_each(|(sum, product)| *sum += product / positions as f32);
        }
        self.images += 1;
    }

    pub(super) fn channel_means(&self) -> Vec<f64> {
        self.channel_sums.iter().map(|sum| sum / self.images.max(1) as f64).collect()
    }

    /// How the channels vary together, if their products were observed and they do.
    pub(super) fn compensation(&self) -> Option<Compensation> {
        let (means, images) = (self.channel_means(), self.images.max(1) as f64);
        let channels = means.len();
        let sums = self.products.as_ref().filter(|sums| sums.len() == channels * channels)?;
        let covariance =
            |(at, sum): (usize, &f32)| f64::from(*sum) / images - means[at / channels] * means[at % channels];
        let covariance: Vec<f64> = sums.iter().enumerate().map(covariance).collect();
        Compensation::of(&covariance, channels)
    }
}
