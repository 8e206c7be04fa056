//! Open-set rejection: how often images of known classes are rejected.

use crate::error::{Error, Kind, Result};
use crate::metrics;
use crate::run::RejectionRule;
use serde::Serialize;
use std::path::Path;

/// How often test images, which are all of known classes, are rejected.
#[derive(Debug, Clone, Serialize)]
pub struct RejectionStats {
    /// The requested share of known images that may be rejected.
    pub alpha: f64,
    /// With how much confidence `alpha` bounds that share of all known images; `None`: on average over validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Number of validation images that the threshold was calibrated on.
    pub calibration_images: usize,
    /// The distance beyond which an image is rejected.
    pub threshold: f32,
    /// Number of rejected test images.
    pub unknown: usize,
    /// Share of rejected test images.
    pub rate: Option<f64>,
    /// The 95 % Wilson interval of the rate.
    pub interval: Option<[f64; 2]>,
    /// Upper bound of the share of all known images that is rejected, with 95 % confidence over the choice of the validation
    /// images.
    pub bound: f64,
    /// Accuracy among the images that were not rejected.
    pub answered_accuracy: Option<f64>,
}

impl RejectionStats {
    /// Applies the rule to the test images of a run. `correct` states for each image, in the order of digests, whether its
    /// prediction is correct.
    ///
    /// # Errors
    /// [`Kind::Run`] when the run holds distances of another number of test images.
    pub(super) fn measure(run: &Path, rule: &RejectionRule, correct: &[bool]) -> Result<Self> {
        let (images, distances) = (correct.len(), rule.test_distances.len());
        if distances != images {
            let message = format!("it has distances of {distances} test images for {images} predictions");
            return Err(Error::new(Kind::Run, message).at(run).help("train again"));
        }
        let answered: Vec<bool> = correct
            .iter()
            .zip(&rule.test_distances)
            .filter(|(_, distance)| !rule.rejects(**distance))
            .map(|(correct, _)| *correct)
            .collect();
        let unknown = images - answered.len();
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        Ok(Self {
            alpha: rule.alpha,
            confidence: rule.confidence,
            calibration_images: rule.calibration.images(),
            threshold: rule.threshold,
            unknown,
            rate: share(unknown, images),
            interval: metrics::wilson_interval(unknown, images),
            bound: rule.calibration.rejection_bound(rule.threshold, 0.95),
            answered_accuracy: share(answered.iter().filter(|correct| **correct).count(), answered.len()),
        })
    }
}
