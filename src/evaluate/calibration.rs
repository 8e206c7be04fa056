//! Calibration of probabilities before and after temperature scaling.

use super::held_out::HeldOutPrediction;
use crate::head::argmax;
use crate::metrics::{self, CalibrationBin, ChanceCalibration, GradedPrediction, Temperature};
use serde::Serialize;

/// Calibration of the head's own probabilities, and at the temperature fitted to the validation images.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// The temperature of maximum likelihood on the validation images, fitted to averaged probabilities where those are
    /// evaluated. `None` where the images determine none, and for runs of older versions; the figures after scaling are then
    /// those before.
    pub temperature: Option<f64>,
    /// The 95 % interval of the temperature, (low, high); `high` is `None` where it is infinite.
    pub temperature_interval: Option<(f64, Option<f64>)>,
    /// Number of images that the temperature was fitted to.
    pub temperature_images: Option<usize>,
    /// Whether the temperature differs significantly from 1. Only then does `predict` use it. `predict` does not average
    /// over variants.
    pub applied: bool,
    /// Calibration on the evaluated split.
    #[serde(flatten)]
    pub split: SplitCalibration,
    /// Calibration on the validation split, where the temperature was fitted.
    pub validation: SplitCalibration,
}

/// Calibration on the images of one split, before and after temperature scaling.
#[derive(Debug, Clone, Serialize)]
pub struct SplitCalibration {
    /// Expected calibration error before scaling, 0 to 1.
    pub ece_before: Option<f64>,
    /// Expected calibration error after scaling, 0 to 1.
    pub ece_after: Option<f64>,
    /// What the error before scaling would be by chance, if the probabilities were perfectly calibrated.
    pub chance: Option<ChanceCalibration>,
    /// Root mean squared calibration error before scaling, without the bias of small bins.
    pub debiased_error: Option<f64>,
    /// Mean cross entropy before scaling, in nats.
    pub loss_before: Option<f64>,
    /// Mean cross entropy after scaling, in nats.
    pub loss_after: Option<f64>,
    /// Predictions by confidence before scaling.
    pub bins_before: Vec<CalibrationBin>,
    /// Predictions by confidence after scaling.
    pub bins: Vec<CalibrationBin>,
}

impl Calibration {
    /// Measures the calibration of the images of a split and of the validation split.
    pub(super) fn measure(
        temperature: Option<Temperature>,
        images: &[HeldOutPrediction],
        validation: &[HeldOutPrediction],
    ) -> Self {
        let value = temperature.map_or(1.0, |fitted| fitted.value);
        Self {
            temperature: temperature.map(|fitted| fitted.value),
            temperature_interval: temperature.map(|fitted| (fitted.low, fitted.high)),
            temperature_images: temperature.map(|fitted| fitted.images),
            applied: temperature.is_some_and(|fitted| fitted.differs_from_one()),
            split: SplitCalibration::measure(value, images),
            validation: SplitCalibration::measure(value, validation),
        }
    }
}

impl SplitCalibration {
    fn measure(temperature: f64, images: &[HeldOutPrediction]) -> Self {
        let (before, after) = (CalibrationAt::new(1.0, images), CalibrationAt::new(temperature, images));
        Self {
            chance: before.ece.and_then(|ece| metrics::chance_calibration(&before.confidences, ece)),
            debiased_error: metrics::debiased_calibration_error(&before.bins),
            ece_before: before.ece,
            ece_after: after.ece,
            loss_before: before.loss,
            loss_after: after.loss,
            bins_before: before.bins,
            bins: after.bins,
        }
    }
}

/// Calibration at one temperature.
struct CalibrationAt {
    ece: Option<f64>,
    loss: Option<f64>,
    bins: Vec<CalibrationBin>,
    /// Probability of the predicted class of each image.
    confidences: Vec<f64>,
}

impl CalibrationAt {
    fn new(temperature: f64, images: &[HeldOutPrediction]) -> Self {
        let truth: Vec<usize> = images.iter().map(|image| image.truth).collect();
        let scale = |image: &HeldOutPrediction| metrics::apply_temperature(&image.probabilities, temperature);
        let probabilities: Vec<Vec<f64>> = images.iter().map(scale).collect();
        let grade = |(image, row): (&HeldOutPrediction, &Vec<f64>)| {
            let predicted = argmax(&image.probabilities);
            GradedPrediction { confidence: row[predicted], correct: predicted == image.truth }
        };
        let graded: Vec<GradedPrediction> = images.iter().zip(&probabilities).map(grade).collect();
        let confidences = graded.iter().map(|prediction| prediction.confidence).collect();
        let bins = metrics::calibration_bins(graded);
        let loss = metrics::log_loss(&truth, &probabilities);
        Self { ece: metrics::expected_calibration_error(&bins), loss, bins, confidences }
    }
}

/// Fits the temperature of averaged probabilities. They are less confident than those that the temperature in the record
/// was fitted to.
pub(super) fn fit_to_averaged(validation: &[HeldOutPrediction]) -> Option<Temperature> {
    let truth: Vec<usize> = validation.iter().map(|image| image.truth).collect();
    metrics::fit_temperature(&truth, validation.iter().map(|image| &image.probabilities))
}
