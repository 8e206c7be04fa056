//! Student's t distribution.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Finds the two-sided 95 % quantile of Student's t with `freedom` degrees of freedom, by bisection.
pub(super) fn student_95(freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if central_probability(middle, freedom) < 0.95 { low = middle } else { high = middle }
    }
    low.tan() * (freedom as f64).sqrt()
}

/// Computes the probability of Student's t with `freedom` degrees of freedom between -t and t, where t = sqrt(freedom)
/// tan(angle) (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
pub(super) fn central_probability(angle: f64, freedom: usize) -> f64 {
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
    fn quantiles_agree_with_printed_tables() {
        for (freedom, expected) in
            [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (19, 2.093), (120, 1.980)]
        {
            assert!((student_95(freedom) - expected).abs() < 6e-4, "{freedom}: {}", student_95(freedom));
        }
    }
}
