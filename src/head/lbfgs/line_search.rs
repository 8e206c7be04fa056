//! How far to go along a direction.

/// Share of the decrease that the directional derivative predicts which a step must reach.
const DECREASE: f64 = 0.1;

/// Share of the directional derivative at the start which may be left.
const CURVATURE: f64 = 0.9;

/// Relative error of a loss that is summed from float32 products.
const NOISE: f64 = 1e-7;

/// Growth of a step that is too short.
const GROWTH: f64 = 5.0;

/// Share of the interval that a secant step must cut off, else it is halved.
const SHRINK: f64 = 0.66;

/// Evaluations at most.
const EVALUATIONS: usize = 50;

/// A point on the line.
pub(super) trait OnLine {
    /// The loss.
    fn value(&self) -> f64;
    /// Its derivative along the line.
    fn directional_derivative(&self) -> f64;
}

/// Searches for a step that satisfies the Wolfe conditions or, where the loss is flat to its last digits, the approximate
/// ones, which look at derivatives alone (Hager and Zhang 2005, *SIAM Journal on Optimization* 16, section 4). `at` evaluates a
/// step. The loss is convex, so its derivative grows along the line, and two derivatives of different signs enclose the minimum.
/// `None` if no step improves the loss.
pub(super) fn search<P: OnLine>(
    value: f64,
    derivative: f64,
    mut at: impl FnMut(f64) -> P,
) -> Option<(f64, P)> {
    let descends = derivative < 0.0;
    if !descends {
        return None;
    }
    let noise = NOISE * value.abs();
    let mut low = (0.0, derivative);
    let mut high: Option<(f64, f64)> = None;
    let mut step = 1.0;
    for _ in 0..EVALUATIONS {
        let point = at(step);
        let (new_value, new_derivative) = (point.value(), point.directional_derivative());
        let is_not_above = new_value <= value + noise;
        let decreases = new_value <= value + DECREASE * step * derivative;
        let decreases_nearly = is_not_above && new_derivative <= (2.0 * DECREASE - 1.0) * derivative;
        if new_derivative >= CURVATURE * derivative && (decreases || decreases_nearly) {
            return Some((step, point));
        }
        let before = high.map(|(high, _)| high - low.0);
        match new_derivative < 0.0 && is_not_above {
            true => low = (step, new_derivative),
            false => high = Some((step, new_derivative)),
        }
        step = match high {
            None => step * GROWTH,
            Some((end, end_derivative)) => {
                let middle = 0.5 * (low.0 + end);
                let secant = (low.0 * end_derivative - end * low.1) / (end_derivative - low.1);
                let shrinks = before.is_none_or(|before| end - low.0 <= SHRINK * before);
                let is_inside = secant > low.0 && secant < end;
                if shrinks && is_inside { secant } else { middle }
            }
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Point(f64, f64);

    impl OnLine for Point {
        fn value(&self) -> f64 {
            self.0
        }
        fn directional_derivative(&self) -> f64 {
            self.1
        }
    }

    #[test]
    fn steps_that_are_too_short_or_too_long_are_mended() {
        // ln(e^(s (x - a)) + e^(-s (x - a))): steep on both sides, flat around a.
        for (a, s) in [(1.0, 1.0), (40.0, 0.5), (0.001, 30.0), (1e-6, 1e6), (3.0, 1e-3)] {
            let of = |x: f64| {
                let t: f64 = s * (x - a);
                Point(t.abs() + (-2.0 * t.abs()).exp().ln_1p(), s * t.tanh())
            };
            let start = of(0.0);
            let (step, end) = search(start.0, start.1, of).unwrap();
            assert!(step > 0.0 && end.0 <= start.0 && end.1 >= 0.9 * start.1, "{a} {s}: {step}");
        }
    }

    #[test]
    fn a_value_that_is_flat_to_its_last_digit_is_judged_by_slopes() {
        // Values are rounded to 1e-7, as those of float32 products.
        let of = |x: f64| Point(1.0 + (1e-9 * (x - 3.0).powi(2) * 1e7).round() * 1e-7, 2e-9 * (x - 3.0));
        let (step, _) = search(1.0, -6e-9, of).unwrap();
        assert!((0.3..=6.0).contains(&step), "{step}");
    }

    #[test]
    fn no_step_is_found_uphill_or_where_nothing_is_finite() {
        assert!(search(1.0, 1.0, |_| Point(0.0, 0.0)).is_none());
        assert!(search(1.0, f64::NAN, |_| Point(0.0, 0.0)).is_none());
        assert!(search(1.0, -1.0, |_| Point(f64::NAN, f64::NAN)).is_none());
    }
}
