//! How far probabilities can be taken at their word: the error of calibration, and its bins. Pure.

use serde::Serialize;

/// Bins of [`calibration_bins`], as in Guo et al. 2017.
pub const BINS: usize = 15;

/// The answers whose confidence lies in `(low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end, itself outside.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Answers in the bin.
    pub images: usize,
    /// Their mean confidence; `None` for none.
    pub confidence: Option<f64>,
    /// Right ones among them.
    pub right: usize,
    /// Their share of right answers; `None` for none.
    pub accuracy: Option<f64>,
}

/// Sorts answers into [`BINS`] bins of equal width by confidence, the probability of the class that was answered
/// (0 to 1), with whether the answer was right.
pub fn calibration_bins(answers: impl IntoIterator<Item = (f64, bool)>) -> Vec<Bin> {
    let mut sums = [(0usize, 0.0, 0usize); BINS];
    for (confidence, right) in answers {
        let bin = (confidence * BINS as f64).ceil() as usize;
        let (images, total, rights) = &mut sums[bin.clamp(1, BINS) - 1];
        *images += 1;
        *total += confidence;
        *rights += usize::from(right);
    }
    let edge = |i: usize| i as f64 / BINS as f64;
    let mean = |sum: f64, images: usize| (images > 0).then(|| sum / images as f64);
    let bins = sums.iter().enumerate().map(|(i, &(images, total, rights))| Bin {
        low: edge(i),
        high: edge(i + 1),
        images,
        right: rights,
        confidence: mean(total, images),
        accuracy: mean(rights as f64, images),
    });
    bins.collect()
}

/// The expected calibration error (Naeini, Cooper and Hauskrecht 2015, AAAI; Guo et al. 2017, ICML, eq. 3): the mean
/// over answers of |accuracy - confidence| of their bin. `None` without answers. With few answers it is too large even
/// for perfect probabilities, since the accuracy of a bin of few answers is seldom its expectation.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let images: usize = bins.iter().map(|bin| bin.images).sum();
    let gap = |bin: &Bin| Some((bin.accuracy? - bin.confidence?).abs() * bin.images as f64);
    (images > 0).then(|| bins.iter().filter_map(gap).sum::<f64>() / images as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_by_hand() {
        // Two answers in (14/15, 1], one of them right; one right answer of confidence 0.5 in (7/15, 8/15].
        let bins = calibration_bins([(0.95, true), (1.0, false), (0.5, true)]);
        assert_eq!(bins.iter().map(|bin| bin.images).collect::<Vec<_>>()[7..], [1, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!((bins[14].accuracy, bins[7].confidence, bins[0].accuracy), (Some(0.5), Some(0.5), None));
        assert!((calibration_error(&bins).unwrap() - (2.0 * 0.475 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(calibration_error(&calibration_bins([])), None);
    }

    #[test]
    fn the_ends_belong_to_bins() {
        let bins = calibration_bins([(0.0, false), (1.0 / 15.0, true), (1.0, true)]);
        assert_eq!((bins[0].images, bins[1].images, bins[14].images), (2, 0, 1));
    }
}
