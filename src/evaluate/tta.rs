//! Test-time augmentation: predictions averaged over the variants of an image, against those of the image alone.

use super::held_out::SplitPredictions;
use crate::metrics::{self, PairedCounts};
use serde::Serialize;

/// Accuracy with averaging over variants, compared with that of variant `none`.
#[derive(Debug, Clone, Serialize)]
pub struct TtaStats {
    /// The variants whose probabilities were averaged.
    pub variants: Vec<String>,
    /// Accuracy without averaging, 0 to 1.
    pub plain_accuracy: Option<f64>,
    /// Accuracy with averaging less that without.
    pub difference: Option<f64>,
    /// The 95 % interval of the difference (Newcombe's method 10 for paired proportions).
    pub interval: Option<[f64; 2]>,
    /// Two-sided p value of McNemar's exact test.
    pub p_value: f64,
}

impl TtaStats {
    /// Compares `averaged`, the class index predicted for each image by averaging, with the predictions of variant `none`.
    pub(super) fn compare(predictions: &SplitPredictions, averaged: &[usize]) -> Self {
        let images = &predictions.images;
        let counts = PairedCounts::count(
            images.iter().zip(averaged).map(|(image, &predicted)| predicted == image.truth),
            images.iter().map(|image| image.predicted == image.truth),
        );
        let plain = counts.both + counts.only_second;
        Self {
            variants: predictions.variants.iter().map(ToString::to_string).collect(),
            plain_accuracy: (!images.is_empty()).then(|| plain as f64 / images.len() as f64),
            difference: counts.difference(),
            interval: metrics::paired_difference_interval(&counts),
            p_value: metrics::mcnemar_p_value(&counts),
        }
    }
}
