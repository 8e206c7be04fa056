//! Mean, standard deviation and interval over repeated measurements.

use super::student::student_95;
use serde::{Deserialize, Serialize};

/// The mean of repeated measurements with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanWithInterval {
    /// Number of measurements.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (divisor n - 1); `None` for one measurement.
    pub deviation: Option<f64>,
    /// The 95 % interval of the mean by Student's t, `[low, high]`; `None` for one measurement.
    pub interval: Option<[f64; 2]>,
}

impl MeanWithInterval {
    /// The same for shares, whose interval ends at 0 and 1. Measurements that are all alike tell nothing of what varies, and
    /// have no interval.
    #[must_use]
    pub fn of_shares(self) -> Self {
        let interval = self.interval.filter(|[low, high]| low < high);
        Self { interval: interval.map(|[low, high]| [low.max(0.0), high.min(1.0)]), ..self }
    }
}

/// Computes mean, standard deviation and 95 % interval of independent measurements. Returns `None` without any.
pub fn mean_with_interval(values: &[f64]) -> Option<MeanWithInterval> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    let interval = deviation.map(|deviation| {
        let half = student_95(n - 1) * deviation / (n as f64).sqrt();
        [mean - half, mean + half]
    });
    Some(MeanWithInterval { n, mean, deviation, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_measurement_has_no_interval() {
        assert_eq!(mean_with_interval(&[]), None);
        let one = MeanWithInterval { n: 1, mean: 2.0, deviation: None, interval: None };
        assert_eq!(mean_with_interval(&[2.0]), Some(one));
        let two = mean_with_interval(&[1.0, 3.0]).unwrap();
        assert_eq!((two.mean, two.deviation), (2.0, Some(2f64.sqrt())));
    }

    #[test]
    fn intervals_of_shares_end_at_0_and_1() {
        let of = |values: &[f64]| mean_with_interval(values).unwrap().of_shares().interval;
        assert_eq!((of(&[0.4, 0.9]), of(&[1.0, 1.0, 1.0])), (Some([0.0, 1.0]), None));
    }
}
