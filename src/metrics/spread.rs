//! Mean, deviation and interval of a few measurements of one thing.

use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// How some numbers spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n - 1; `None` for one number.
    pub deviation: Option<f64>,
    /// The 95 % interval of the mean by Student's t; `None` for one number.
    pub interval: Option<[f64; 2]>,
}

/// The spread of `values`; `None` for none.
pub fn spread(values: &[f64]) -> Option<Spread> {
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
    Some(Spread { n, mean, deviation, interval })
}

/// The two-sided 95 % quantile of Student's t with `freedom` degrees of freedom, by halving.
pub(super) fn student_95(freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if central_share(middle, freedom) < 0.95 { low = middle } else { high = middle }
    }
    low.tan() * (freedom as f64).sqrt()
}

/// The share of Student's t with `freedom` degrees of freedom between -t and t, where t = sqrt(freedom) tan(angle)
/// (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
pub(super) fn central_share(angle: f64, freedom: usize) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    let (mut term, mut sum) = if odd { (cos, 0.0) } else { (1.0, 0.0) };
    let mut k = if odd { 1 } else { 0 };
    while k + 2 <= freedom {
        sum += term;
        k += 2;
        term *= cos * cos * (k - 1) as f64 / k as f64;
    }
    match odd {
        true => FRAC_2_PI * (angle + sin * sum),
        false => sin * sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_printed_tables() {
        for (freedom, expected) in
            [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (19, 2.093), (120, 1.980)]
        {
            assert!((student_95(freedom) - expected).abs() < 6e-4, "{freedom}: {}", student_95(freedom));
        }
    }

    #[test]
    fn one_number_has_no_spread() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), Some(Spread { n: 1, mean: 2.0, deviation: None, interval: None }));
        let two = spread(&[1.0, 3.0]).unwrap();
        assert_eq!((two.mean, two.deviation), (2.0, Some(2f64.sqrt())));
    }
}
