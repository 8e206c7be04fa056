//! The Brier score and its parts.

use super::calibration::CALIBRATION_BINS;
use serde::Serialize;

/// The Brier score, 0 to 2, with its decomposition (Murphy 1973, *Journal of Applied Meteorology* 12, 595-600), summed over
/// classes: `score = reliability - resolution + uncertainty + within_bins`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BrierScore {
    /// Mean over rows of the squared distance between the probabilities and the label (1 for its class, 0 for others).
    pub score: f64,
    /// How far the probabilities of a bin are from the frequencies; smaller is better.
    pub reliability: f64,
    /// How far the frequencies of the bins are from those of all rows; larger is better.
    pub resolution: f64,
    /// The score of always giving the frequencies of these rows.
    pub uncertainty: f64,
    /// What the probabilities vary within their bins (Stephenson, Coelho and Jolliffe 2008, *Weather and Forecasting* 23,
    /// 752-757): the two extra terms together.
    pub within_bins: f64,
}

/// Computes the Brier score (Brier 1950) of rows of probabilities, `[classes]` each, with parts over [`CALIBRATION_BINS`] bins
/// of equal width for each class. Returns `None` without rows.
///
/// # Panics
/// When the number of rows differs, rows differ in length, or a class index is not below their length.
pub fn brier_score<R: AsRef<[f64]>>(
    truth: &[usize],
    probabilities: impl IntoIterator<Item = R>,
) -> Option<BrierScore> {
    let rows: Vec<R> = probabilities.into_iter().collect();
    assert_eq!(rows.len(), truth.len(), "one row of probabilities for each label");
    let classes = rows.first()?.as_ref().len();
    let n = rows.len() as f64;
    let mut total =
        BrierScore { score: 0.0, reliability: 0.0, resolution: 0.0, uncertainty: 0.0, within_bins: 0.0 };
    for class in 0..classes {
        let mut bins = [Bin::default(); CALIBRATION_BINS];
        for (&label, row) in truth.iter().zip(&rows) {
            let (p, y) = (row.as_ref()[class], f64::from(u8::from(label == class)));
            let bin = &mut bins[((p * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1)];
            bin.add(p, y);
            total.score += (p - y).powi(2) / n;
        }
        let frequency = bins.iter().map(|bin| bin.hits).sum::<f64>() / n;
        total.uncertainty += frequency * (1.0 - frequency);
        for bin in bins.iter().filter(|bin| bin.n > 0.0) {
            let (mean, share) = (bin.sum / bin.n, bin.hits / bin.n);
            total.reliability += bin.n / n * (mean - share).powi(2);
            total.resolution += bin.n / n * (share - frequency).powi(2);
        }
    }
    total.within_bins = total.score - (total.reliability - total.resolution + total.uncertainty);
    Some(total)
}

/// Rows whose probability of a class lies in a bin.
#[derive(Clone, Copy, Default)]
struct Bin {
    n: f64,
    /// Sum of the probabilities.
    sum: f64,
    /// Number of rows of the class.
    hits: f64,
}

impl Bin {
    fn add(&mut self, p: f64, y: f64) {
        self.n += 1.0;
        self.sum += p;
        self.hits += y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_by_hand() {
        // Squared distances 2 * 0.2^2 and 2 * 0.6^2.
        let score = brier_score(&[0, 1], [[0.8, 0.2], [0.6, 0.4]]).unwrap();
        assert!((score.score - 0.4).abs() < 1e-12, "{score:?}");
        assert!((score.uncertainty - 0.5).abs() < 1e-12);
        // Each probability is alone in its bin.
        assert!((score.reliability - 0.4).abs() < 1e-12 && (score.resolution - 0.5).abs() < 1e-12);
        assert!(score.within_bins.abs() < 1e-12);
        assert_eq!(brier_score::<Vec<f64>>(&[], []), None);
    }

    #[test]
    fn frequencies_as_probabilities_score_the_uncertainty() {
        let score = brier_score(&[0, 0, 1, 2], [[0.5, 0.25, 0.25]; 4]).unwrap();
        assert!((score.score - score.uncertainty).abs() < 1e-12 && score.resolution.abs() < 1e-12);
        assert!(score.reliability.abs() < 1e-12 && score.within_bins.abs() < 1e-12);
    }
}
