//! Split conformal p-values (Vovk et al. 2005).

use super::binomial::binomial_cdf;

/// Nonconformity scores of held-out images of known classes, to judge new images by (Papadopoulos et al. 2002; Vovk,
/// Gammerman and Shafer 2005, section 4.2: inductive conformal prediction).
///
/// An image drawn from the same distribution is rejected with a probability of at most alpha, whatever the distribution of
/// the scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ConformalCalibration {
    /// Sorted, ascending.
    scores: Vec<f32>,
}

impl ConformalCalibration {
    /// Calibrates by the scores of held-out images, in any order.
    pub fn new(mut scores: Vec<f32>) -> Self {
        scores.sort_by(f32::total_cmp);
        Self { scores }
    }

    /// Number of held-out images.
    pub fn images(&self) -> usize {
        self.scores.len()
    }

    /// Computes the share of images, among the held-out ones and the new one, whose score is at least `score`: above 0, at
    /// most 1. It is at most alpha exactly when the score is above [`ConformalCalibration::threshold`].
    pub fn p_value(&self, score: f32) -> f64 {
        let at_least = self.scores.iter().filter(|known| **known >= score).count();
        (1 + at_least) as f64 / (1 + self.images()) as f64
    }

    /// Returns the ceil((n + 1)(1 - alpha))-th smallest of the n scores. An image with a larger score is rejected. Returns
    /// `None` where n is below [`min_calibration_size`].
    pub fn threshold(&self, alpha: f64) -> Option<f32> {
        let above = rounded_down((self.images() + 1) as f64 * alpha);
        let rank = (self.images() + 1).checked_sub(above)?;
        (above > 0).then(|| self.scores[rank.max(1) - 1])
    }

    /// Returns the smallest score that, used as the threshold, rejects at most a share alpha of images like the held-out ones
    /// with at least the given confidence over the choice of the held-out images (tolerance limits: Wilks 1941, *Annals of
    /// Mathematical Statistics* 12, 91-96; Vovk 2012, proposition 2b). Returns `None` where there are too few of them.
    pub fn confident_threshold(&self, alpha: f64, confidence: f64) -> Option<f32> {
        let n = self.images();
        // The share beyond the r-th smallest of n scores follows Beta(n + 1 - r, r).
        let is_enough = |rank: &usize| binomial_cdf(rank - 1, n, 1.0 - alpha) >= confidence;
        // Confidence grows with the rank, so that the first one that is enough is found by bisection.
        let (mut low, mut high) = (0, n + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is_enough(&middle) { high = middle } else { low = middle }
        }
        (high <= n).then(|| self.scores[high - 1])
    }

    /// Computes the upper bound, with the given confidence over the choice of the held-out images, of the share of images like
    /// them whose score is above `threshold`; 1 where nothing is known.
    pub fn rejection_bound(&self, threshold: f32, confidence: f64) -> f64 {
        let (n, rank) = (self.images(), self.scores.partition_point(|score| *score <= threshold));
        if rank == 0 {
            return 1.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if binomial_cdf(rank - 1, n, 1.0 - middle) >= confidence { high = middle } else { low = middle }
        }
        high
    }
}

/// Smallest number of held-out images that allows rejection at `alpha` (above 0, below 1): ceil(1 / alpha) - 1.
pub fn min_calibration_size(alpha: f64) -> usize {
    let about = (1.0 / alpha) as usize;
    let enough = |n: &usize| rounded_down((n + 1) as f64 * alpha) > 0;
    (about.saturating_sub(2)..about + 2).find(enough).unwrap_or(about)
}

/// Smallest number of held-out images that allows rejection at `alpha` with `confidence`, both above 0 and below 1: the largest
/// of n scores bounds the share with confidence 1 - (1 - alpha)^n (Wilks 1941).
pub fn min_confident_calibration_size(alpha: f64, confidence: f64) -> usize {
    ((-confidence).ln_1p() / (-alpha).ln_1p() - 1e-9).ceil().max(1.0) as usize
}

/// Rounds down, except for products that rounding left just below a whole number, such as 100 * 0.29.
fn rounded_down(x: f64) -> usize {
    (x + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    #[test]
    fn thresholds_by_hand() {
        let known = ConformalCalibration::new((1..=19).rev().map(|i| i as f32).collect());
        // ceil(20 * 0.95) = 19th, ceil(20 * 0.9) = 18th, ceil(20 * 0.71) = 15th (of 14.2).
        assert_eq!([0.05, 0.1, 0.29].map(|alpha| known.threshold(alpha)), [19.0, 18.0, 15.0].map(Some));
        assert_eq!(known.threshold(0.049), None);
        assert_eq!((known.p_value(19.5), known.p_value(19.0), known.p_value(0.0)), (0.05, 0.1, 1.0));
        let hundred = ConformalCalibration::new((1..100).map(|i| i as f32).collect());
        assert_eq!(hundred.threshold(0.29), Some(71.0), "29 of 100, although 100 * 0.29 is below 29");
        assert_eq!([0.05, 0.1, 0.3, 0.01, 0.5, 0.9].map(min_calibration_size), [19, 9, 3, 99, 1, 1]);
        assert_eq!(ConformalCalibration::new(Vec::new()).threshold(0.5), None);
        assert!(ConformalCalibration::new(vec![1.0, 2.0]).p_value(f32::NAN) < 0.34, "NaN is rejected");
    }

    #[test]
    fn confident_thresholds_by_hand() {
        // 1 - 0.95^59 = 0.9515 is the first power that reaches 0.95 (Wilks): the largest of 59 scores.
        let of = |n: usize| ConformalCalibration::new((1..=n).map(|i| i as f32).collect());
        assert_eq!(
            (of(58).confident_threshold(0.05, 0.95), of(59).confident_threshold(0.05, 0.95)),
            (None, Some(59.0))
        );
        assert_eq!(
            (min_confident_calibration_size(0.05, 0.95), min_confident_calibration_size(0.5, 0.5)),
            (59, 1)
        );
        // The second largest of 93 (tables of tolerance limits).
        assert_eq!(of(93).confident_threshold(0.05, 0.95), Some(92.0));
        let bound = of(59).rejection_bound(59.0, 0.95);
        assert!((bound - (1.0 - 0.05f64.powf(1.0 / 59.0))).abs() < 1e-9, "{bound}");
        assert_eq!(of(3).rejection_bound(0.5, 0.95), 1.0);
    }

    #[test]
    fn a_confident_threshold_holds_in_as_many_calibrations_as_it_says() {
        // Uniform scores: the true share beyond a threshold t is 1 - t.
        let trials = 2000;
        let mut rng = Rng::new(5, 0);
        let held = (0..trials)
            .filter(|_| {
                let known = ConformalCalibration::new((0..120).map(|_| rng.uniform(0.0, 1.0)).collect());
                f64::from(1.0 - known.confident_threshold(0.05, 0.9).unwrap()) <= 0.05
            })
            .count();
        // At least 0.9, less three standard deviations; not far more, for 120 scores are enough to be exact within 0.06.
        assert!((1759..1960).contains(&held), "{held} of {trials}");
    }

    #[test]
    fn a_p_value_of_at_most_alpha_is_a_score_above_the_threshold() {
        let mut rng = Rng::new(3, 0);
        for n in [1, 2, 19, 20, 68, 99] {
            let known = ConformalCalibration::new((0..n).map(|_| rng.uniform(0.0, 9.0).round()).collect());
            for alpha in [0.01, 0.05, 0.1, 0.29, 0.5, 0.99] {
                for score in (0..10).map(|s| s as f32) {
                    let by_threshold = known.threshold(alpha).is_some_and(|threshold| score > threshold);
                    assert_eq!(known.p_value(score) <= alpha + 1e-12, by_threshold, "{n} {alpha} {score}");
                }
            }
        }
    }

    #[test]
    fn known_images_are_rejected_at_the_requested_rate() {
        // With exchangeable scores the rate over new calibration and test sets is floor((n + 1) alpha) / (n + 1).
        for (n, alpha) in [(68, 0.05), (68, 0.1), (19, 0.05), (30, 0.2)] {
            let mut rng = Rng::new(7, n as u64);
            let mut draw = || rng.normal().powi(2);
            let trials = 4000;
            let rejected = (0..trials)
                .filter(|_| {
                    let known = ConformalCalibration::new((0..n).map(|_| draw()).collect());
                    draw() > known.threshold(alpha).unwrap()
                })
                .count();
            let expected = ((n + 1) as f64 * alpha + 1e-9).floor() / (n + 1) as f64;
            let deviation = (expected * (1.0 - expected) / f64::from(trials)).sqrt();
            let rate = rejected as f64 / f64::from(trials);
            assert!((rate - expected).abs() < 3.0 * deviation, "{n} {alpha}: {rate} for {expected}");
            assert!(expected <= alpha);
        }
    }
}
