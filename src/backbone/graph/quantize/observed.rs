//! What calibration sees at one value of a network.

use super::histogram::Histogram;

/// What the images of the calibration gave at one value of the network.
#[derive(Debug, Clone, Default)]
pub(in crate::backbone) struct Observed {
    pub(super) histogram: Histogram,
    /// The sum of the means of each channel, over images.
    channel_sums: Vec<f64>,
    images: usize,
}

impl Observed {
    /// Adds the values of one image, `[channels, positions]`.
    pub fn add(&mut self, channels: usize, values: &[f32]) {
        self.histogram.add(values);
        self.channel_sums.resize(channels, 0.0);
        let positions = (values.len() / channels.max(1)).max(1);
        for (sum, channel) in self.channel_sums.iter_mut().zip(values.chunks_exact(positions)) {
            *sum += channel.iter().map(|&value| f64::from(value)).sum::<f64>() / positions as f64;
        }
        self.images += 1;
    }

    pub(super) fn channel_means(&self) -> Vec<f64> {
        self.channel_sums.iter().map(|sum| sum / self.images.max(1) as f64).collect()
    }
}
