//! The percentile bootstrap (Efron and Tibshirani 1993, chapter 13).

use super::chance_calibration::quantile;
use crate::math::random::Rng;

/// Draws rows with replacement: how often each of `rows` was drawn, for each of `resamples`.
pub(super) fn resample(rows: usize, resamples: usize, mut measure: impl FnMut(&[u32])) {
    let mut rng = Rng::new(0, 4);
    let mut weights = vec![0u32; rows];
    for _ in 0..resamples {
        weights.fill(0);
        (0..rows).for_each(|_| weights[rng.below(rows)] += 1);
        measure(&weights);
    }
}

/// The 2.5th and the 97.5th percentile; `None` where all values are the same.
pub(super) fn percentiles(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let is_varied = sorted.first() < sorted.last();
    is_varied.then(|| [quantile(&sorted, 0.025), quantile(&sorted, 0.975)])
}

/// The 95 % interval of a mean, from the percentiles of 1,000 resamples with a fixed seed; `None` where all values are the same.
pub fn bootstrap_mean_interval(values: &[f64]) -> Option<[f64; 2]> {
    let mut means = Vec::with_capacity(1000);
    resample(values.len(), 1000, |weights| {
        let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * f64::from(*weight)).sum();
        means.push(sum / values.len() as f64);
    });
    percentiles(means.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_near_that_of_the_normal_distribution() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let [low, high] = bootstrap_mean_interval(&values).unwrap();
        let half = 1.96 * 5.766 / 20.0;
        assert!((low - (9.5 - half)).abs() < 0.06 && (high - (9.5 + half)).abs() < 0.06, "{low} {high}");
        assert_eq!((bootstrap_mean_interval(&[2.0; 9]), bootstrap_mean_interval(&[])), (None, None));
    }
}
