//! Open-set rejection of a run: the distance beyond which an image counts as unknown, calibrated on validation images.

use crate::error::{Error, Kind, Result};
use crate::head::rejection::{MahalanobisDistance, RejectionDistances};
use crate::metrics::{ConformalCalibration, min_calibration_size, min_confident_calibration_size};
use std::path::Path;

/// The distance measure of a run with its calibrated threshold.
#[derive(Debug, Clone)]
pub struct RejectionRule {
    /// Share of known images that may be rejected, between 0 and 1.
    pub alpha: f64,
    /// With how much confidence over the choice of the validation images `alpha` bounds that share; `None`: on average over it.
    pub confidence: Option<f64>,
    /// The distance measure.
    pub distance: MahalanobisDistance,
    /// Distances of the validation images.
    pub calibration: ConformalCalibration,
    /// Images at a larger distance are rejected.
    pub threshold: f32,
    /// Distances of the test images, in the order of their digests.
    pub test_distances: Vec<f32>,
}

impl RejectionRule {
    /// Calibrates the measure of a run: of images like those of the validation split at most a share of `alpha` is rejected, with
    /// `confidence`, or on average.
    pub(super) fn calibrate(
        run: &Path,
        measured: RejectionDistances,
        alpha: f64,
        confidence: Option<f64>,
    ) -> Result<Self> {
        let calibration = ConformalCalibration::new(measured.validation);
        let threshold = match confidence {
            Some(confidence) => calibration.confident_threshold(alpha, confidence),
            None => calibration.threshold(alpha),
        };
        let threshold = threshold.ok_or_else(|| too_few(run, alpha, confidence, calibration.images()))?;
        let RejectionDistances { distance, test, .. } = measured;
        Ok(Self { alpha, confidence, distance, calibration, threshold, test_distances: test })
    }

    /// Whether an image at `distance` is rejected. NaN is.
    pub fn rejects(&self, distance: f32) -> bool {
        let is_known = distance <= self.threshold;
        !is_known
    }
}

/// Checks the share of known images that may be rejected.
pub(super) fn check_alpha(alpha: f64) -> Result<()> {
    match alpha > 0.0 && alpha < 1.0 {
        true => Ok(()),
        false => Err(Error::new(Kind::Usage, "`reject` must be above 0 and below 1")
            .help("it is the share of known images that may be rejected: try `reject` 0.05")),
    }
}

/// Checks a confidence.
pub(super) fn check_confidence(confidence: f64) -> Result<()> {
    match confidence > 0.0 && confidence < 1.0 {
        true => Ok(()),
        false => {
            Err(Error::new(Kind::Usage, "`confidence` must be above 0 and below 1")
                .help("try `confidence` 0.95"))
        }
    }
}

fn too_few(run: &Path, alpha: f64, confidence: Option<f64>, images: usize) -> Error {
    let with = confidence.map_or(String::new(), |confidence| format!(" with `confidence` {confidence}"));
    let needed = match confidence {
        Some(confidence) => min_confident_calibration_size(alpha, confidence),
        None => min_calibration_size(alpha),
    };
    let message =
        format!("`reject` {alpha}{with} needs {needed} validation images, and the run has {images}");
    let smallest = match confidence {
        Some(confidence) => -((-confidence).ln_1p() / images.max(1) as f64).exp_m1(),
        None => 1.0 / (images + 1) as f64,
    };
    // Rounded up, so that the suggested value is large enough.
    let possible = (1000.0 * smallest).ceil() / 1000.0;
    let larger = if images > 0 && possible < 1.0 {
        format!("use `reject` {possible} or more, or ")
    } else {
        String::new()
    };
    Error::new(Kind::Usage, message).at(run).help(format!(
        "{larger}give the validation split more images, by `extract` with another `split`, and train again"
    ))
}
