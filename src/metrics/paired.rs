//! Two classifiers on the same images: difference of accuracy, interval and significance test.

use super::wilson::wilson_interval;

/// Number of images by which of two classifiers is correct.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairedCounts {
    /// Both are correct.
    pub both: usize,
    /// Only the first is correct.
    pub only_first: usize,
    /// Only the second is correct.
    pub only_second: usize,
    /// Neither is correct.
    pub neither: usize,
}

impl PairedCounts {
    /// Counts from whether each classifier is correct, image by image.
    pub fn count(first: impl IntoIterator<Item = bool>, second: impl IntoIterator<Item = bool>) -> Self {
        let mut counts = Self::default();
        for pair in first.into_iter().zip(second) {
            *match pair {
                (true, true) => &mut counts.both,
                (true, false) => &mut counts.only_first,
                (false, true) => &mut counts.only_second,
                (false, false) => &mut counts.neither,
            } += 1;
        }
        counts
    }

    /// Total number of images.
    pub fn images(&self) -> usize {
        self.both + self.only_first + self.only_second + self.neither
    }

    /// Accuracy of the first less that of the second, -1 to 1. `None` without images.
    pub fn difference(&self) -> Option<f64> {
        let n = self.images();
        (n > 0).then(|| (self.only_first as f64 - self.only_second as f64) / n as f64)
    }
}

/// Computes the exact two-sided p value of McNemar's test (McNemar 1947, *Psychometrika* 12, 153-157; the binomial form): the
/// probability of counts at least as uneven as these if both classifiers err equally often. It is 1 when they never differ.
pub fn mcnemar_p_value(counts: &PairedCounts) -> f64 {
    let (few, n) = (counts.only_first.min(counts.only_second), counts.only_first + counts.only_second);
    if n == 0 {
        return 1.0;
    }
    // The logarithm of C(n, k) / 2^n is updated from k to k + 1, so that no term underflows before the sum.
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = ln_term.exp();
    for k in 1..=few {
        ln_term += ((n - k + 1) as f64 / k as f64).ln();
        tail += ln_term.exp();
    }
    (2.0 * tail).min(1.0)
}

/// Computes the mid-p value of McNemar's test (Fagerland, Lydersen and Laake 2013, *BMC Medical Research Methodology* 13:91):
/// the exact value less half the probability of the counts themselves. It is less conservative than the exact one, and
/// seldom above its level. It is 1 when the classifiers never differ.
pub fn mcnemar_mid_p_value(counts: &PairedCounts) -> f64 {
    let (few, n) = (counts.only_first.min(counts.only_second), counts.only_first + counts.only_second);
    if n == 0 {
        return 1.0;
    }
    let ln_choose: f64 = (1..=few).map(|k| ((n - k + 1) as f64 / k as f64).ln()).sum();
    let point = (ln_choose - n as f64 * std::f64::consts::LN_2).exp();
    // Where both counts are equal the exact value is 1, and the point counts once.
    let exact = if 2 * few == n { 1.0 } else { mcnemar_p_value(counts) };
    (exact - point).clamp(0.0, 1.0)
}

/// Adjusts p values of several tests by Holm's step-down method (Holm 1979, *Scandinavian Journal of Statistics* 6, 65-70): a
/// test is significant at level a, whatever the others, if its adjusted value is at most a. The order is kept.
pub fn holm_adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[at]).min(1.0);
        adjusted[at] = largest;
    }
    adjusted
}

/// Computes the 95 % interval of the difference between two paired proportions, `[low, high]` within -1 to 1 (Newcombe 1998,
/// *Statistics in Medicine* 17, 2635-2650, method 10: score intervals joined with a continuity-corrected correlation).
/// Returns `None` without images.
pub fn paired_difference_interval(counts: &PairedCounts) -> Option<[f64; 2]> {
    let n = counts.images();
    let difference = counts.difference()?;
    let (correct1, correct2) = (counts.both + counts.only_first, counts.both + counts.only_second);
    let (p1, p2) = (correct1 as f64 / n as f64, correct2 as f64 / n as f64);
    let ([l1, u1], [l2, u2]) = (wilson_interval(correct1, n)?, wilson_interval(correct2, n)?);
    let phi = correlation(counts);
    let half = |a: f64, b: f64| (a * a - 2.0 * phi * a * b + b * b).max(0.0).sqrt();
    let low = difference - half(p1 - l1, u2 - p2);
    let high = difference + half(u1 - p1, p2 - l2);
    Some([low.max(-1.0), high.min(1.0)])
}

/// Correlation of the two outcomes with the continuity correction of method 10.
fn correlation(counts: &PairedCounts) -> f64 {
    let [a, b, c, d] =
        [counts.both, counts.only_first, counts.only_second, counts.neither].map(|count| count as f64);
    let margins = (a + b) * (c + d) * (a + c) * (b + d);
    if margins == 0.0 {
        return 0.0;
    }
    let (excess, half) = (a * d - b * c, (a + b + c + d) / 2.0);
    let corrected = if excess < 0.0 { excess } else { (excess - half).max(0.0) };
    corrected / margins.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(both: usize, only_first: usize, only_second: usize, neither: usize) -> PairedCounts {
        PairedCounts { both, only_first, only_second, neither }
    }

    #[test]
    fn pairs_are_counted() {
        let [x, o] = [true, false];
        assert_eq!(PairedCounts::count([x, x, o, o, o], [x, o, x, o, o]), counts(1, 1, 1, 2));
        assert_eq!(counts(1, 3, 1, 5).difference(), Some(0.2));
        assert_eq!(PairedCounts::default().difference(), None);
    }

    #[test]
    fn the_exact_test_by_hand() {
        // 2 * (C(14,0) + C(14,1) + C(14,2)) / 2^14 = 2 * 106 / 16384.
        assert!((mcnemar_p_value(&counts(20, 12, 2, 16)) - 212.0 / 16384.0).abs() < 1e-15);
        assert_eq!(mcnemar_p_value(&counts(5, 0, 0, 5)), 1.0);
        assert_eq!(mcnemar_p_value(&counts(5, 3, 3, 5)), 1.0);
        // So many that 2^-n alone would underflow.
        let p = mcnemar_p_value(&counts(0, 1100, 1000, 0));
        assert!((p - 0.0307).abs() < 2e-4, "{p}");
    }

    #[test]
    fn mid_p_values_and_holms_by_hand() {
        // Exact 212 / 16384, less C(14, 2) / 2^14 = 91 / 16384.
        assert!((mcnemar_mid_p_value(&counts(20, 12, 2, 16)) - 121.0 / 16384.0).abs() < 1e-15);
        // 1 - C(6, 3) / 2^6.
        assert!((mcnemar_mid_p_value(&counts(5, 3, 3, 5)) - 44.0 / 64.0).abs() < 1e-15);
        assert_eq!(mcnemar_mid_p_value(&counts(5, 0, 0, 5)), 1.0);
        assert_eq!(holm_adjusted(&[0.01, 0.04, 0.03, 0.5]), [0.04, 0.09, 0.09, 0.5]);
        assert_eq!(holm_adjusted(&[]), [0.0; 0]);
    }

    #[test]
    fn the_interval_agrees_with_an_independent_implementation() {
        // The formula of the paper, computed in Python (`tests/oracle/compare.py`).
        for (table, low, high) in [
            (counts(20, 12, 2, 16), 0.0562, 0.3292),
            (counts(36, 12, 2, 0), 0.0569, 0.3404),
            (counts(36, 14, 0, 0), 0.1528, 0.4167),
        ] {
            let [l, h] = paired_difference_interval(&table).unwrap();
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{table:?}: {l} {h}");
        }
        assert_eq!(paired_difference_interval(&PairedCounts::default()), None);
    }
}
