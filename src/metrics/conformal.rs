//! Is a score as large as those of known images only by chance: split conformal prediction. Pure.

/// Scores of held-out known images, against which others are judged (Papadopoulos et al. 2002; Vovk, Gammerman and
/// Shafer 2005, section 4.2: inductive conformal prediction). If a new image is drawn as they were, it is called unknown with
/// a probability of at most alpha, whatever the distribution of the scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Conformal {
    /// Ascending.
    scores: Vec<f32>,
}

impl Conformal {
    /// From the scores of held-out images, in any order.
    pub fn new(mut scores: Vec<f32>) -> Self {
        scores.sort_by(f32::total_cmp);
        Self { scores }
    }

    /// Held-out images.
    pub fn images(&self) -> usize {
        self.scores.len()
    }

    /// The share, among the held-out images and this one, of those whose score is at least `score`. It is at most alpha
    /// just where the score is above [`Conformal::threshold`].
    pub fn p_value(&self, score: f32) -> f64 {
        let as_large = self.scores.iter().filter(|known| **known >= score).count();
        (1 + as_large) as f64 / (1 + self.images()) as f64
    }

    /// The ceil((n + 1)(1 - alpha))-th smallest of the n scores: a larger one is unknown. `None` where n is smaller than
    /// [`images_needed`].
    pub fn threshold(&self, alpha: f64) -> Option<f32> {
        let above = rounded_down((self.images() + 1) as f64 * alpha);
        let rank = (self.images() + 1).checked_sub(above)?;
        (above > 0).then(|| self.scores[rank.max(1) - 1])
    }
}

/// How many held-out images it takes to call a share of `alpha` (above 0, below 1) unknown: ceil(1 / alpha) - 1.
pub fn images_needed(alpha: f64) -> usize {
    let about = (1.0 / alpha) as usize;
    let enough = |n: &usize| rounded_down((n + 1) as f64 * alpha) > 0;
    (about.saturating_sub(2)..about + 2).find(enough).unwrap_or(about)
}

/// The floor, but for numbers that should be whole and are not quite, such as 100 * 0.29.
fn rounded_down(x: f64) -> usize {
    (x + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn thresholds_by_hand() {
        let known = Conformal::new((1..=19).rev().map(|i| i as f32).collect());
        // ceil(20 * 0.95) = 19th, ceil(20 * 0.9) = 18th, ceil(20 * 0.71) = 15th (of 14.2).
        assert_eq!([0.05, 0.1, 0.29].map(|alpha| known.threshold(alpha)), [19.0, 18.0, 15.0].map(Some));
        assert_eq!(known.threshold(0.049), None);
        assert_eq!((known.p_value(19.5), known.p_value(19.0), known.p_value(0.0)), (0.05, 0.1, 1.0));
        let hundred = Conformal::new((1..100).map(|i| i as f32).collect());
        assert_eq!(hundred.threshold(0.29), Some(71.0), "29 of 100, although 100 * 0.29 is below 29");
        assert_eq!([0.05, 0.1, 0.3, 0.01, 0.5, 0.9].map(images_needed), [19, 9, 3, 99, 1, 1]);
        assert_eq!(Conformal::new(Vec::new()).threshold(0.5), None);
        assert!(Conformal::new(vec![1.0, 2.0]).p_value(f32::NAN) < 0.34, "what is no number is unknown");
    }

    #[test]
    fn a_p_value_of_at_most_alpha_is_a_score_above_the_threshold() {
        let mut rng = Rng::new(3, 0);
        for n in [1, 2, 19, 20, 68, 99] {
            let known = Conformal::new((0..n).map(|_| rng.uniform(0.0, 9.0).round()).collect());
            for alpha in [0.01, 0.05, 0.1, 0.29, 0.5, 0.99] {
                for score in (0..10).map(|s| s as f32) {
                    let by_threshold = known.threshold(alpha).is_some_and(|threshold| score > threshold);
                    assert_eq!(known.p_value(score) <= alpha + 1e-12, by_threshold, "{n} {alpha} {score}");
                }
            }
        }
    }

    #[test]
    fn known_images_are_called_unknown_at_the_rate_that_was_asked_for() {
        // Exchangeable scores: the rate over calibration and test sets drawn anew is floor((n + 1) alpha) / (n + 1).
        for (n, alpha) in [(68, 0.05), (68, 0.1), (19, 0.05), (30, 0.2)] {
            let mut rng = Rng::new(7, n as u64);
            let mut draw = || rng.normal().powi(2);
            let trials = 4000;
            let unknown = (0..trials)
                .filter(|_| {
                    let known = Conformal::new((0..n).map(|_| draw()).collect());
                    draw() > known.threshold(alpha).unwrap()
                })
                .count();
            let expected = ((n + 1) as f64 * alpha + 1e-9).floor() / (n + 1) as f64;
            let spread = (expected * (1.0 - expected) / f64::from(trials)).sqrt();
            let rate = unknown as f64 / f64::from(trials);
            assert!((rate - expected).abs() < 3.0 * spread, "{n} {alpha}: {rate} for {expected}");
            assert!(expected <= alpha);
        }
    }
}
