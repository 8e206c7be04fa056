//! Measurements over random splits of one data set, whose train and test images overlap from split to split.

use super::student::{central_probability, student_95};
use super::wilson::wilson_of_share;
use serde::{Deserialize, Serialize};

/// The mean over random splits, with an interval and a p value that allow for their overlap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ResampledMean {
    /// Number of splits.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation over splits (divisor n - 1).
    pub deviation: f64,
    /// The 95 % interval of the mean, `[low, high]`.
    pub interval: [f64; 2],
    /// Two-sided p value for a mean of zero. It has a meaning for differences.
    pub p_value: f64,
}

impl ResampledMean {
    /// The same for shares of `images` test images a split. The interval ends at 0 and 1, and is never narrower than Wilson's of
    /// the images of all splits, as if no image were in two of them.
    #[must_use]
    pub fn of_shares(self, images: usize) -> Self {
        let [low, high] = wilson_of_share(self.mean, (self.n * images.max(1)) as f64);
        let interval = [self.interval[0].min(low).max(0.0), self.interval[1].max(high).min(1.0)];
        Self { interval, ..self }
    }
}

/// Performs the corrected resampled t-test (Nadeau and Bengio 2003, *Machine Learning* 52, 239-281, section 3) on one value
/// for each split. Returns `None` for fewer than two values.
///
/// It is Student's test with a variance of the mean of `(1/n + test/train) * variance`, because splits share images.
/// `test_to_train` is the number of test images divided by that of train images.
pub fn corrected_resampled_t_test(values: &[f64], test_to_train: f64) -> Option<ResampledMean> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let error = ((1.0 / n as f64 + test_to_train) * variance).sqrt();
    let half = student_95(n - 1) * error;
    let p_value = match (mean == 0.0, error == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => {
            let angle = (mean.abs() / error / ((n - 1) as f64).sqrt()).atan();
            (1.0 - central_probability(angle, n - 1)).clamp(0.0, 1.0)
        }
    };
    Some(ResampledMean { n, mean, deviation: variance.sqrt(), interval: [mean - half, mean + half], p_value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::mean_with_interval;

    #[test]
    fn without_overlap_it_is_students_test() {
        // t = 2.5 / (sqrt(5/3) / 2) = 3.873 with 3 degrees of freedom.
        let values = [1.0, 2.0, 3.0, 4.0];
        let plain = corrected_resampled_t_test(&values, 0.0).unwrap();
        assert!((plain.p_value - 0.030_466).abs() < 1e-5, "{}", plain.p_value);
        assert_eq!(mean_with_interval(&values).unwrap().interval, Some(plain.interval));
        let corrected = corrected_resampled_t_test(&values, 1.0 / 3.0).unwrap();
        let ratio = (corrected.interval[1] - 2.5) / (plain.interval[1] - 2.5);
        assert!((ratio - (1.0f64 + 4.0 / 3.0).sqrt()).abs() < 1e-12);
        assert!(corrected.p_value > plain.p_value);
    }

    #[test]
    fn intervals_of_shares_end_at_0_and_1_and_have_a_width() {
        let of = |values: &[f64]| corrected_resampled_t_test(values, 0.4).unwrap().of_shares(50).interval;
        let [low, high] = of(&[1.0; 3]);
        assert!(low > 0.97 && low < 0.98 && high == 1.0, "{low} {high}");
        assert_eq!(of(&[0.2, 0.9]), [0.0, 1.0]);
    }

    #[test]
    fn constant_differences_give_a_p_value_of_one_or_zero() {
        assert_eq!(corrected_resampled_t_test(&[0.0; 5], 0.3).unwrap().p_value, 1.0);
        assert_eq!(corrected_resampled_t_test(&[0.1; 2], 0.3).unwrap().p_value, 0.0);
        assert_eq!(corrected_resampled_t_test(&[0.1], 0.3), None);
    }
}
