//! The binomial distribution.

/// Computes the probability that a binomial number of `n` trials with success probability `p` is at most `k`. Terms are
/// summed from their logarithms, so that none underflows.
pub(super) fn binomial_cdf(k: usize, n: usize, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let odds = (p / (1.0 - p)).ln();
    let mut ln_term = n as f64 * (-p).ln_1p();
    let mut sum = ln_term.exp();
    for i in 1..=k {
        ln_term += ((n - i + 1) as f64 / i as f64).ln() + odds;
        sum += ln_term.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_by_hand() {
        assert!((binomial_cdf(1, 3, 0.5) - 0.5).abs() < 1e-12);
        assert!((binomial_cdf(0, 10, 0.1) - 0.9f64.powi(10)).abs() < 1e-12);
        assert_eq!(
            (binomial_cdf(3, 3, 0.2), binomial_cdf(0, 3, 1.0), binomial_cdf(0, 3, 0.0)),
            (1.0, 0.0, 1.0)
        );
        // 0.999^100000 alone underflows no more than its neighbours.
        assert!((binomial_cdf(100, 100_000, 0.001) - 0.5266).abs() < 1e-3);
    }
}
