//! What the calibration error of perfectly calibrated probabilities would be by chance.

use super::calibration::{CALIBRATION_BINS, CalibrationBin, bin_index, expected_calibration_error};
use crate::math::random::Rng;
use serde::Serialize;

/// The expected calibration error that perfectly calibrated predictions of the same confidences have by chance, from
/// simulated outcomes (consistency resampling: Broecker and Smith 2007, *Weather and Forecasting* 22, 651-661; Vaicenavicius
/// et al. 2019, AISTATS).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChanceCalibration {
    /// Mean error of calibrated predictions.
    pub expected: f64,
    /// The 95th percentile of their error.
    pub upper: f64,
    /// One-sided p value: the share of calibrated predictions, these among them, with an error at least as large.
    pub p_value: f64,
    /// For each bin, the 2.5th and 97.5th percentile of the accuracy that calibrated predictions have there (consistency
    /// bars); `None` for an empty bin.
    pub bars: Vec<Option<[f64; 2]>>,
}

/// Simulations for few predictions, fewer for many: their product is bounded.
const MAX_SIMULATIONS: usize = 2000;
const MAX_DRAWS: usize = 20_000_000;
const MIN_SIMULATIONS: usize = 200;

/// Simulates perfectly calibrated predictions with the given confidences, from a fixed seed. `observed` is their expected
/// calibration error. Returns `None` without predictions.
pub fn chance_calibration(confidences: &[f64], observed: f64) -> Option<ChanceCalibration> {
    if confidences.is_empty() {
        return None;
    }
    let simulations = (MAX_DRAWS / confidences.len()).clamp(MIN_SIMULATIONS, MAX_SIMULATIONS);
    let predictions: Vec<(usize, f32)> = confidences.iter().map(|&c| (bin_index(c), c as f32)).collect();
    let mut bins = empty_bins(confidences);
    let mut rng = Rng::new(0, 3);
    let mut errors = Vec::with_capacity(simulations);
    let mut accuracies = vec![Vec::new(); CALIBRATION_BINS];
    for _ in 0..simulations {
        let mut correct = [0usize; CALIBRATION_BINS];
        for &(bin, confidence) in &predictions {
            correct[bin] += usize::from(rng.uniform(0.0, 1.0) < confidence);
        }
        for (bin, correct) in bins.iter_mut().zip(correct) {
            bin.correct = correct;
            bin.accuracy = (bin.images > 0).then(|| correct as f64 / bin.images as f64);
        }
        errors.extend(expected_calibration_error(&bins));
        for (all, bin) in accuracies.iter_mut().zip(&bins) {
            all.extend(bin.accuracy);
        }
    }
    errors.sort_by(f64::total_cmp);
    let as_large = errors.iter().filter(|error| **error >= observed - 1e-12).count();
    let bar = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        (!all.is_empty()).then(|| [quantile(&all, 0.025), quantile(&all, 0.975)])
    };
    Some(ChanceCalibration {
        expected: errors.iter().sum::<f64>() / errors.len() as f64,
        upper: quantile(&errors, 0.95),
        p_value: (1 + as_large) as f64 / (1 + errors.len()) as f64,
        bars: accuracies.into_iter().map(bar).collect(),
    })
}

/// Bins with their numbers of predictions and mean confidences.
fn empty_bins(confidences: &[f64]) -> Vec<CalibrationBin> {
    let graded = confidences.iter().map(|&confidence| super::GradedPrediction { confidence, correct: false });
    super::calibration_bins(graded)
}

/// The value of rank `ceil(q n)` of sorted values.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Estimates the root mean squared calibration error without the bias of small bins (Kumar, Liang and Ma 2019, NeurIPS,
/// definition 4.4): the share of each bin times the squared gap less its variance by chance. 0 where chance explains more
/// than was seen. Returns `None` when no bin has two predictions.
pub fn debiased_calibration_error(bins: &[CalibrationBin]) -> Option<f64> {
    let usable = || bins.iter().filter(|bin| bin.images > 1);
    let images: usize = usable().map(|bin| bin.images).sum();
    let term = |bin: &CalibrationBin| {
        let (accuracy, confidence) = (bin.accuracy?, bin.confidence?);
        let by_chance = accuracy * (1.0 - accuracy) / (bin.images - 1) as f64;
        Some(bin.images as f64 * ((accuracy - confidence).powi(2) - by_chance))
    };
    let sum: f64 = usable().filter_map(term).sum();
    (images > 0).then(|| (sum / images as f64).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{GradedPrediction, calibration_bins};

    #[test]
    fn the_error_by_chance_agrees_with_a_binomial() {
        // 16 predictions of 0.5 in one bin: the mean of |B(16, 0.5) / 16 - 0.5| is C(16, 8) / 2^17 = 0.0982.
        let chance = chance_calibration(&[0.5; 16], 0.25).unwrap();
        assert!((chance.expected - 12_870.0 / 131_072.0).abs() < 0.004, "{chance:?}");
        // P(|B - 8| >= 4) = 2 * (1 + 16 + 120 + 560 + 1820) / 65536 = 0.0768.
        assert!((chance.p_value - 0.0768).abs() < 0.02, "{chance:?}");
        assert_eq!(chance.bars[7], Some([4.0 / 16.0, 12.0 / 16.0]));
        assert_eq!((chance.bars[0], chance_calibration(&[], 0.0)), (None, None));
        assert_eq!(chance_calibration(&[0.5; 16], 0.25), Some(chance), "the same seed, the same numbers");
    }

    #[test]
    fn the_debiased_error_of_calibrated_predictions_is_near_zero() {
        let half = |i: usize| GradedPrediction { confidence: 0.5, correct: i.is_multiple_of(2) };
        assert_eq!(debiased_calibration_error(&calibration_bins((0..20).map(half))), Some(0.0));
        let wrong = GradedPrediction { confidence: 0.9, correct: false };
        let error = debiased_calibration_error(&calibration_bins([wrong; 10])).unwrap();
        assert!((error - 0.9).abs() < 1e-12);
        assert_eq!(debiased_calibration_error(&calibration_bins([wrong])), None);
    }
}
