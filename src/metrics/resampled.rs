//! Measurements over random splits of one data set, whose test and train images overlap from split to split.

use super::spread::{central_share, student_95};
use serde::{Deserialize, Serialize};

/// A mean over splits, with what overlapping splits allow to say of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resampled {
    /// Splits.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// The standard deviation over splits, with n - 1.
    pub deviation: f64,
    /// The 95 % interval of the mean.
    pub interval: [f64; 2],
    /// Two-sided p value of the mean being zero, for differences.
    pub p_value: f64,
}

/// The corrected resampled t-test (Nadeau and Bengio 2003, *Machine Learning* 52, 239-281, section 3): as Student's t over
/// n splits, with `(1/n + test/train) * variance` in the place of `variance / n`, since splits share images. `ratio`
/// is test images / train images. `None` for fewer than two values.
pub fn resampled(values: &[f64], ratio: f64) -> Option<Resampled> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let error = ((1.0 / n as f64 + ratio) * variance).sqrt();
    let half = student_95(n - 1) * error;
    let p_value = match (mean == 0.0, error == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => {
            let angle = (mean.abs() / error / ((n - 1) as f64).sqrt()).atan();
            (1.0 - central_share(angle, n - 1)).clamp(0.0, 1.0)
        }
    };
    Some(Resampled { n, mean, deviation: variance.sqrt(), interval: [mean - half, mean + half], p_value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_overlap_it_is_students_test() {
        // t = 2.5 / (sqrt(5/3) / 2) = 3.873 with 3 degrees of freedom.
        let plain = resampled(&[1.0, 2.0, 3.0, 4.0], 0.0).unwrap();
        assert!((plain.p_value - 0.030_466).abs() < 1e-5, "{}", plain.p_value);
        let spread = super::super::spread(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(spread.interval, Some(plain.interval));
        let corrected = resampled(&[1.0, 2.0, 3.0, 4.0], 1.0 / 3.0).unwrap();
        let ratio = (corrected.interval[1] - 2.5) / (plain.interval[1] - 2.5);
        assert!((ratio - (1.0f64 + 4.0 / 3.0).sqrt()).abs() < 1e-12);
        assert!(corrected.p_value > plain.p_value);
    }

    #[test]
    fn what_never_differs_is_told_so() {
        assert_eq!(resampled(&[0.0; 5], 0.3).unwrap().p_value, 1.0);
        assert_eq!(resampled(&[0.1; 2], 0.3).unwrap().p_value, 0.0);
        assert_eq!(resampled(&[0.1], 0.3), None);
    }
}
