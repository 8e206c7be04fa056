//! Wilson's score interval of a proportion.

/// The two-sided 95 % quantile of the standard normal distribution.
pub(super) const Z95: f64 = 1.959_963_984_540_054;

/// Computes the 95 % score interval of the proportion `correct / n`, `[low, high]` within 0 to 1 (Wilson 1927,
/// *J. Am. Stat. Assoc.* 22, 209-212). Returns `None` for `n` = 0.
pub fn wilson_interval(correct: usize, n: usize) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    Some(wilson_of_share(correct as f64 / n as f64, n as f64))
}

/// Whether so few images were counted that a share of them says little: an accuracy of half of them has an interval of 34
/// points and more.
pub fn is_few(images: usize) -> bool {
    images < 30
}

/// The interval of a share of `n` rows, which need not be whole.
pub(super) fn wilson_of_share(share: f64, n: f64) -> [f64; 2] {
    let z2 = Z95 * Z95;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // At a share of 0 or 1 the interval begins or ends exactly there; rounding must not leave the share outside.
    [(centre - half).max(0.0).min(share), (centre + half).min(1.0).max(share)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_share() {
        for n in 1..2000 {
            assert_eq!(wilson_interval(n, n).unwrap()[1], 1.0, "{n}");
            assert_eq!(wilson_interval(0, n).unwrap()[0], 0.0, "{n}");
        }
    }

    #[test]
    fn intervals_agree_with_published_values() {
        // Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81/263 and 15/148, 0/20, 1/29.
        for (correct, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [l, h] = wilson_interval(correct, n).unwrap();
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{correct}/{n}: {l} {h}");
        }
        assert_eq!(wilson_interval(0, 0), None);
        assert_eq!(wilson_interval(5, 5).unwrap()[1], 1.0);
    }
}
