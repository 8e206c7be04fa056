//! Rounding that makes up for itself: the weights of a filter are rounded one after the other, and what the rounding of one
//! changes in the output is taken off those that follow, as far as their channels move together.
//!
//! With errors `e` of the weights and covariance `C = LLᵀ` of the channels the output is off by `eᵀCe = ‖Lᵀe‖²` on average, its
//! mean apart. From the last weight to the first each is rounded so that its entry of `Lᵀe` is as near to zero as a level allows
//! (the same weights as GPTQ's: Frantar et al. 2023, section 3; Chen et al. 2025).

/// Share of the mean variance that is added to each channel, so that channels which move together exactly can be told apart.
const DAMPING: f64 = 0.01;

/// The covariance of the channels that enter a convolution, in the order in which their weights are rounded.
#[derive(Debug, Clone)]
pub(super) struct Compensation {
    /// The channel of each place. The weights of the last are rounded first: those that vary most.
    order: Vec<usize>,
    /// `Lᵀ` with each row divided by its diagonal, `[channels, channels]`; what lies below the diagonal has no meaning.
    factor: Vec<f64>,
}

impl Compensation {
    /// Factors a covariance, `[channels, channels]`. `None` where nothing varies, or a value is no number.
    pub fn of(covariance: &[f64], channels: usize) -> Option<Self> {
        let variance = |channel: usize| covariance[channel * channels + channel];
        let damping = DAMPING * (0..channels).map(variance).sum::<f64>() / channels as f64;
        if !(damping.is_finite() && damping > 0.0) {
            return None;
        }
        let mut order: Vec<usize> = (0..channels).collect();
        order.sort_by(|&a, &b| variance(a).total_cmp(&variance(b)));
        let entry = |(at, other): (usize, usize)| {
            covariance[order[at] * channels + order[other]] + if at == other { damping } else { 0.0 }
        };
        let places = (0..channels).flat_map(|at| (0..channels).map(move |other| (at, other)));
        let mut factor: Vec<f64> = places.map(entry).collect();
        is_factored(&mut factor, channels).then_some(Self { order, factor })
    }

    /// Rounds the weights of a filter, one for each channel, with `level`. Returns the levels, whose values are `scale` times
    /// them.
    pub fn levels(&self, values: &[f32], scale: f32, level: impl Fn(f32) -> i8) -> Vec<i8> {
        let n = self.order.len();
        let (mut errors, mut levels) = (vec![0f64; n], vec![0; n]);
        for at in (0..n).rev() {
            let value = f64::from(values[self.order[at]]);
            let row = &self.factor[at * n..][..n];
            let wanted = value + inner_product(&row[at + 1..], &errors[at + 1..]);
            let rounded = level(wanted as f32);
            errors[at] = value - f64::from(rounded) * f64::from(scale);
            levels[self.order[at]] = rounded;
        }
        levels
    }
}

/// Factors the symmetric `matrix` `[n, n]` as `LLᵀ`, and writes `Lᵀ`, each row divided by its diagonal, into its upper half.
/// Returns false if it is not positive definite.
fn is_factored(matrix: &mut [f64], n: usize) -> bool {
    for at in 0..n {
        let (above, below) = matrix.split_at_mut((at + 1) * n);
        let row = &mut above[at * n..];
        let pivot = row[at];
        if !(pivot.is_finite() && pivot > 0.0) {
            return false;
        }
        for (other, rest) in (at + 1..n).zip(below.chunks_exact_mut(n)) {
            let share = row[other] / pivot;
            rest[other..].iter_mut().zip(&row[other..]).for_each(|(value, of_row)| *value -= share * of_row);
        }
        row[at..].iter_mut().for_each(|value| *value /= pivot);
    }
    true
}

/// In eight sums, which the processor can add up at once.
fn inner_product(a: &[f64], b: &[f64]) -> f64 {
    let (mut a, mut b) = (a.chunks_exact(8), b.chunks_exact(8));
    let mut sums = [0f64; 8];
    for (a, b) in a.by_ref().zip(b.by_ref()) {
        (0..8).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    /// Channels of which each follows the one before it, `[samples, channels]`.
    fn channels(n: usize, samples: usize) -> Vec<f64> {
        let mut rng = Rng::new(7, 0);
        let mut rows = Vec::new();
        for _ in 0..samples {
            let mut last = 0.0;
            for channel in 0..n {
                last = 0.8 * last + f64::from(rng.uniform(-1.0, 1.0)) * (1.0 + channel as f64 % 3.0);
                rows.push(last);
            }
        }
        rows
    }

    fn covariance(rows: &[f64], n: usize) -> Vec<f64> {
        let samples = rows.len() / n;
        let entry = |a: usize, b: usize| {
            rows.chunks_exact(n).map(|row| row[a] * row[b]).sum::<f64>() / samples as f64
        };
        (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).map(|(a, b)| entry(a, b)).collect()
    }

    /// The mean squared error of the output of a filter over the samples.
    fn squared_error(rows: &[f64], values: &[f32], levels: &[i8], scale: f32) -> f64 {
        let n = values.len();
        let off = |row: &[f64]| {
            let errors =
                values.iter().zip(levels).map(|(v, l)| f64::from(*v) - f64::from(*l) * f64::from(scale));
            row.iter().zip(errors).map(|(x, e)| x * e).sum::<f64>().powi(2)
        };
        rows.chunks_exact(n).map(off).sum::<f64>() / (rows.len() / n) as f64
    }

    #[test]
    fn the_output_is_less_off_than_with_each_weight_rounded_alone() {
        let n = 24;
        let rows = channels(n, 4000);
        let found = Compensation::of(&covariance(&rows, n), n).unwrap();
        let mut rng = Rng::new(3, 1);
        let scale = 0.125;
        let level = |value: f32| (value / scale).round_ties_even().clamp(-7.0, 7.0) as i8;
        let (mut alone, mut together) = (0.0, 0.0);
        for _ in 0..50 {
            let values: Vec<f32> = (0..n).map(|_| rng.uniform(-0.8, 0.8)).collect();
            let plain: Vec<i8> = values.iter().map(|&value| level(value)).collect();
            alone += squared_error(&rows, &values, &plain, scale);
            together += squared_error(&rows, &values, &found.levels(&values, scale, level), scale);
        }
        assert!(together < 0.6 * alone, "{together} {alone}");
    }

    #[test]
    fn channels_that_do_not_move_together_are_rounded_alone() {
        let covariance: Vec<f64> =
            (0..36).map(|i| if i % 7 == 0 { 1.0 + f64::from(i) } else { 0.0 }).collect();
        let values = [0.3f32, -0.7, 0.49, 0.51, 1.2, -0.05];
        let level = |value: f32| value.round_ties_even() as i8;
        let found = Compensation::of(&covariance, 6).unwrap().levels(&values, 1.0, level);
        assert_eq!(found, values.map(level));
    }

    #[test]
    fn the_factor_times_its_transpose_is_the_covariance() {
        let n = 9;
        let damped = {
            let mut covariance = covariance(&channels(n, 200), n);
            (0..n).for_each(|at| covariance[at * n + at] += 0.1);
            covariance
        };
        let mut factor = damped.clone();
        assert!(is_factored(&mut factor, n));
        // With rows divided by the diagonal `U` and the pivots `D` it is `UᵀDU`, whose pivots follow from its diagonal.
        let mut pivots = vec![0.0; n];
        for at in 0..n {
            let before = |other: usize| pivots[other] * factor[other * n + at] * factor[other * n + at];
            pivots[at] = damped[at * n + at] - (0..at).map(before).sum::<f64>();
        }
        for a in 0..n {
            for b in a..n {
                let term = |k: usize| pivots[k] * factor[k * n + a] * factor[k * n + b];
                let product: f64 = (0..=a).map(term).sum();
                assert!((product - damped[a * n + b]).abs() < 1e-9, "{a} {b}");
            }
        }
    }

    #[test]
    fn what_does_not_vary_or_is_no_number_has_no_compensation() {
        assert!(Compensation::of(&[0.0; 4], 2).is_none());
        assert!(Compensation::of(&[1.0, f64::NAN, f64::NAN, 1.0], 2).is_none());
        assert!(Compensation::of(&[f64::INFINITY, 0.0, 0.0, 1.0], 2).is_none());
        // Two channels that are the same need the damping.
        assert!(Compensation::of(&[1.0; 4], 2).is_some());
    }
}
