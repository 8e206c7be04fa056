//! How far a run's answers can be trusted: its probabilities before and after the temperature, its answers averaged over
//! variants, how often it does not know what it should.

use super::rows::{Held, HeldOut};
use crate::error::{Error, Kind, Result};
use crate::head::argmax;
use crate::metrics::{self, Bin, Paired, Temperature};
use crate::run::Reject;
use serde::Serialize;
use std::path::Path;

/// How well the probabilities are calibrated: as the head gives them, and at the temperature of the validation images.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// T of largest likelihood on the validation images, averaged where the others are; `None` where those tell none, and
    /// for runs from before there was one. The figures after are then those before.
    pub temperature: Option<f64>,
    /// Its 95 % interval; the upper end is `None` where it is infinite.
    pub temperature_interval: Option<(f64, Option<f64>)>,
    /// Images that it was fitted on.
    pub temperature_images: Option<usize>,
    /// Whether its interval leaves out 1. Only then does `predict` use it, which does not average.
    pub applied: bool,
    /// On the split.
    #[serde(flatten)]
    pub split: Calibrated,
    /// On the validation split, where the temperature was fitted.
    pub validation: Calibrated,
}

/// Calibration on some images, before and after the temperature.
#[derive(Debug, Clone, Serialize)]
pub struct Calibrated {
    /// Expected calibration error of the head's own probabilities.
    pub ece_before: Option<f64>,
    /// And at the temperature.
    pub ece_after: Option<f64>,
    /// Mean cross entropy of the head's own probabilities.
    pub loss_before: Option<f64>,
    /// And at the temperature.
    pub loss_after: Option<f64>,
    /// Answers by confidence, as the head gives it.
    pub bins_before: Vec<Bin>,
    /// Answers by confidence, at the temperature.
    pub bins: Vec<Bin>,
}

/// Averaging over variants beside the images as they are.
#[derive(Debug, Clone, Serialize)]
pub struct Averaged {
    /// The variants whose probabilities were averaged.
    pub variants: Vec<String>,
    /// Accuracy without averaging.
    pub plain_accuracy: Option<f64>,
    /// Accuracy with averaging less that without.
    pub difference: Option<f64>,
    /// Its 95 % interval for paired shares (Newcombe's method 10).
    pub interval: Option<[f64; 2]>,
    /// Two-sided p value of McNemar's exact test.
    pub p_value: f64,
}

/// How often known images are called unknown.
#[derive(Debug, Clone, Serialize)]
pub struct Rejected {
    /// The share that was asked for.
    pub alpha: f64,
    /// Validation images whose distances set the threshold.
    pub calibration_images: usize,
    /// The distance beyond which an image is called unknown.
    pub threshold: f32,
    /// Test images that were called unknown.
    pub unknown: usize,
    /// Their share.
    pub rate: Option<f64>,
    /// Its 95 % Wilson interval.
    pub interval: Option<[f64; 2]>,
    /// Share of right answers among the images that got one.
    pub answered_accuracy: Option<f64>,
}

pub(super) fn calibration(fitted: Option<Temperature>, images: &[Held], validation: &[Held]) -> Calibration {
    let value = fitted.map(|fitted| fitted.value);
    Calibration {
        temperature: value,
        temperature_interval: fitted.map(|fitted| (fitted.low, fitted.high)),
        temperature_images: fitted.map(|fitted| fitted.images),
        applied: fitted.is_some_and(|fitted| fitted.is_told_from_one()),
        split: calibrated(value.unwrap_or(1.0), images),
        validation: calibrated(value.unwrap_or(1.0), validation),
    }
}

/// The temperature of averaged probabilities, which are more cautious than those that the run's own was fitted on.
pub(super) fn temperature_of(validation: &[Held]) -> Option<Temperature> {
    let truth: Vec<usize> = validation.iter().map(|image| image.truth).collect();
    let probabilities: Vec<Vec<f32>> = validation.iter().map(|image| image.probabilities.clone()).collect();
    metrics::fit_temperature(&truth, &probabilities)
}

fn calibrated(temperature: f64, images: &[Held]) -> Calibrated {
    let truth: Vec<usize> = images.iter().map(|image| image.truth).collect();
    let at = |t: f64| {
        let rows = images.iter().map(|image| metrics::tempered(&image.probabilities, t));
        let probabilities: Vec<Vec<f64>> = rows.collect();
        let answers = images.iter().zip(&probabilities).map(|(image, row)| {
            let answer = argmax(&image.probabilities);
            (row[answer], answer == image.truth)
        });
        let bins = metrics::calibration_bins(answers);
        (metrics::calibration_error(&bins), metrics::log_loss(&truth, &probabilities), bins)
    };
    let (ece_before, loss_before, bins_before) = at(1.0);
    let (ece_after, loss_after, bins) = at(temperature);
    Calibrated { ece_before, ece_after, loss_before, loss_after, bins_before, bins }
}

pub(super) fn averaged(held_out: &HeldOut, predicted: &[usize]) -> Averaged {
    let images = &held_out.images;
    let counts = Paired::count(
        images.iter().zip(predicted).map(|(image, &answer)| answer == image.truth),
        images.iter().map(|image| image.predicted == image.truth),
    );
    let plain = counts.both + counts.only_second;
    Averaged {
        variants: held_out.variants.iter().map(ToString::to_string).collect(),
        plain_accuracy: (!images.is_empty()).then(|| plain as f64 / images.len() as f64),
        difference: counts.difference(),
        interval: metrics::paired_difference_interval(&counts),
        p_value: metrics::mcnemar(&counts),
    }
}

pub(super) fn rejected(
    run: &Path,
    alpha: f64,
    reject: &Reject,
    right: impl ExactSizeIterator<Item = bool>,
) -> Result<Rejected> {
    let images = right.len();
    if reject.test.len() != images {
        let message =
            format!("it has distances of {} test images for {images} predictions", reject.test.len());
        return Err(Error::new(Kind::Run, message).at(run).help("train again"));
    }
    let answered: Vec<bool> = right
        .zip(&reject.test)
        .filter(|(_, far)| !reject.is_unknown(**far))
        .map(|(right, _)| right)
        .collect();
    let unknown = images - answered.len();
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    Ok(Rejected {
        alpha,
        calibration_images: reject.known.images(),
        threshold: reject.threshold,
        unknown,
        rate: share(unknown, images),
        interval: metrics::wilson(unknown, images),
        answered_accuracy: share(answered.iter().filter(|right| **right).count(), answered.len()),
    })
}
