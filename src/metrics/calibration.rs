//! Expected calibration error and reliability bins.

use serde::Serialize;

/// Number of bins of [`calibration_bins`], as in Guo et al. 2017.
pub const CALIBRATION_BINS: usize = 15;

/// A prediction with its confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradedPrediction {
    /// Probability of the predicted class, 0 to 1.
    pub confidence: f64,
    /// Whether the predicted class is the label.
    pub correct: bool,
}

/// The predictions with a confidence in `(low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Lower end, exclusive.
    pub low: f64,
    /// Upper end, inclusive.
    pub high: f64,
    /// Number of predictions.
    pub images: usize,
    /// Mean confidence; `None` for an empty bin.
    pub confidence: Option<f64>,
    /// Number of correct predictions.
    #[serde(rename = "right")]
    pub correct: usize,
    /// Share of correct predictions; `None` for an empty bin.
    pub accuracy: Option<f64>,
}

/// Groups predictions by confidence into [`CALIBRATION_BINS`] bins of equal width from 0 to 1. The first bin includes 0.
pub fn calibration_bins(predictions: impl IntoIterator<Item = GradedPrediction>) -> Vec<CalibrationBin> {
    let mut sums = [BinSums::default(); CALIBRATION_BINS];
    for GradedPrediction { confidence, correct } in predictions {
        let bin = &mut sums[bin_index(confidence)];
        bin.images += 1;
        bin.confidence += confidence;
        bin.correct += usize::from(correct);
    }
    let edge = |i: usize| i as f64 / CALIBRATION_BINS as f64;
    let mean = |sum: f64, images: usize| (images > 0).then(|| sum / images as f64);
    let bins = sums.iter().enumerate().map(|(i, bin)| CalibrationBin {
        low: edge(i),
        high: edge(i + 1),
        images: bin.images,
        correct: bin.correct,
        confidence: mean(bin.confidence, bin.images),
        accuracy: mean(bin.correct as f64, bin.images),
    });
    bins.collect()
}

/// Index of the bin of a confidence.
pub(super) fn bin_index(confidence: f64) -> usize {
    ((confidence * CALIBRATION_BINS as f64).ceil() as usize).clamp(1, CALIBRATION_BINS) - 1
}

/// Sums over the predictions of a bin.
#[derive(Clone, Copy, Default)]
struct BinSums {
    images: usize,
    confidence: f64,
    correct: usize,
}

/// Computes the expected calibration error, 0 to 1 (Naeini, Cooper and Hauskrecht 2015, AAAI; Guo et al. 2017, ICML, eq. 3):
/// the mean over predictions of |accuracy - confidence| of their bin. Returns `None` without predictions.
///
/// With few predictions it overestimates the error, because the accuracy of a small bin varies by chance: see
/// [`chance_calibration`](super::chance_calibration()).
pub fn expected_calibration_error(bins: &[CalibrationBin]) -> Option<f64> {
    let images: usize = bins.iter().map(|bin| bin.images).sum();
    let gap = |bin: &CalibrationBin| Some((bin.accuracy? - bin.confidence?).abs() * bin.images as f64);
    (images > 0).then(|| bins.iter().filter_map(gap).sum::<f64>() / images as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins_of(predictions: &[(f64, bool)]) -> Vec<CalibrationBin> {
        calibration_bins(
            predictions.iter().map(|&(confidence, correct)| GradedPrediction { confidence, correct }),
        )
    }

    #[test]
    fn the_error_by_hand() {
        // Two predictions in (14/15, 1], one of them correct; a correct one of confidence 0.5 in (7/15, 8/15].
        let bins = bins_of(&[(0.95, true), (1.0, false), (0.5, true)]);
        assert_eq!(bins.iter().map(|bin| bin.images).collect::<Vec<_>>()[7..], [1, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!((bins[14].accuracy, bins[7].confidence, bins[0].accuracy), (Some(0.5), Some(0.5), None));
        assert!((expected_calibration_error(&bins).unwrap() - (2.0 * 0.475 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(expected_calibration_error(&calibration_bins([])), None);
    }

    #[test]
    fn zero_and_one_belong_to_the_outer_bins() {
        let bins = bins_of(&[(0.0, false), (1.0 / 15.0, true), (1.0, true)]);
        assert_eq!((bins[0].images, bins[1].images, bins[14].images), (2, 0, 1));
    }
}
