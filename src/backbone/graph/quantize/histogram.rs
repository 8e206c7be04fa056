//! The distribution of the values of one layer, and the range of 8-bit levels that fits it best.

/// Bins on either side of zero.
const HALF: usize = 2048;
/// The first range covers values up to 2 to this power; it doubles as often as needed.
const FIRST_EXPONENT: i32 = -24;
/// The highest of the 8-bit levels.
const TOP: f64 = 255.0;
/// Bounds that are tried, in percent of the smallest and the largest value.
const SHARES: std::ops::RangeInclusive<u32> = 20..=100;

/// Counts values in bins around zero. The width of a bin is a power of two, and doubles when a value lies outside: so the
/// counts do not depend on the order of the values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    exponent: i32,
    counts: Vec<u64>,
    smallest: f32,
    largest: f32,
    is_finite: bool,
}

/// How a float becomes one of 256 levels: `round(value / scale) + zero_point`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    pub scale: f32,
    pub zero_point: u8,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            exponent: FIRST_EXPONENT,
            counts: vec![0; 2 * HALF],
            smallest: 0.0,
            largest: 0.0,
            is_finite: true,
        }
    }
}

impl Histogram {
    /// Counts `values`. Zeros are left out: they have a level of their own whatever the range.
    pub fn add(&mut self, values: &[f32]) {
        let bounds = values.iter().fold([0f32; 2], |[low, high], &v| [low.min(v), high.max(v)]);
        self.is_finite &= values.iter().all(|value| value.is_finite());
        if !self.is_finite {
            return;
        }
        self.smallest = self.smallest.min(bounds[0]);
        self.largest = self.largest.max(bounds[1]);
        while f64::from(self.largest.max(-self.smallest)) >= 2f64.powi(self.exponent) {
            self.double();
        }
        let bins_per_unit = HALF as f64 / 2f64.powi(self.exponent);
        for &value in values.iter().filter(|value| **value != 0.0) {
            let bin = (f64::from(value) * bins_per_unit).floor() as i64 + HALF as i64;
            self.counts[bin as usize] += 1;
        }
    }

    /// Whether every value was a number.
    pub fn is_finite(&self) -> bool {
        self.is_finite
    }

    /// Makes each bin twice as wide.
    fn double(&mut self) {
        let mut counts = vec![0; 2 * HALF];
        for (bin, count) in self.counts.iter().enumerate() {
            counts[(bin + HALF) / 2] += count;
        }
        (self.counts, self.exponent) = (counts, self.exponent + 1);
    }

    /// Returns the levels with the least squared error over all values.
    pub fn levels(&self) -> Levels {
        let width = 2f64.powi(self.exponent) / HALF as f64;
        let centre = |bin: usize| (bin as f64 - HALF as f64 + 0.5) * width;
        let filled: Vec<(f64, f64)> = (self.counts.iter().enumerate())
            .filter(|(_, count)| **count > 0)
            .map(|(bin, count)| (centre(bin), *count as f64))
            .collect();
        let (smallest, largest) = (f64::from(self.smallest), f64::from(self.largest));
        let best = |whole: f64, levels: &dyn Fn(f64) -> Levels| {
            let bounds = SHARES.map(|percent| whole * f64::from(percent) / 100.0);
            let errors = bounds.map(|bound| (bound, levels(bound).squared_error(&filled)));
            // Of equal errors the widest range.
            errors.fold((whole, f64::INFINITY), |best, one| if one.1 <= best.1 { one } else { best }).0
        };
        let (mut low, mut high) = (smallest, largest);
        for _ in 0..2 {
            high = best(largest, &|high| Levels::of(low, high));
            low = best(smallest, &|low| Levels::of(low, high));
        }
        Levels::of(low, high)
    }
}

impl Levels {
    /// The levels of the range from `low`, at most 0, to `high`, at least 0.
    fn of(low: f64, high: f64) -> Self {
        // A highest level above `high` would keep the runtime from joining a bound such as that of Clip with the rounding.
        let scale = ((high - low) / TOP * (1.0 - 1e-6)) as f32;
        if scale <= f32::MIN_POSITIVE {
            return Self { scale: 1.0, zero_point: 0 };
        }
        Self { scale, zero_point: (-low / f64::from(scale)).round().clamp(0.0, TOP) as u8 }
    }

    /// The sum of squared errors over values and how often each occurs.
    fn squared_error(self, values: &[(f64, f64)]) -> f64 {
        let (scale, zero) = (f64::from(self.scale), f64::from(self.zero_point));
        let error = |value: f64| {
            let level = ((value / scale).round_ties_even() + zero).clamp(0.0, TOP);
            (level - zero) * scale - value
        };
        values.iter().map(|&(value, count)| count * error(value).powi(2)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(values);
        histogram
    }

    #[test]
    fn counts_do_not_depend_on_the_order_of_the_values() {
        let values: Vec<f32> = (0..500).map(|i| ((i * 37 % 101) as f32 - 50.0).powi(3) / 1e3).collect();
        let whole = of(&values);
        let mut parts = Histogram::default();
        values.rchunks(7).for_each(|part| parts.add(part));
        assert_eq!(whole, parts);
        assert_eq!(whole.counts.iter().sum::<u64>(), values.iter().filter(|v| **v != 0.0).count() as u64);
        assert!(whole.is_finite() && !of(&[1.0, f32::NAN]).is_finite());
    }

    #[test]
    fn levels_cover_even_values_and_cut_off_a_rare_outlier() {
        let even: Vec<f32> = (0..=1000).map(|i| i as f32 / 1000.0 * 6.0).collect();
        let Levels { scale, zero_point } = of(&even).levels();
        assert_eq!(zero_point, 0);
        assert!((f64::from(scale) * 255.0 - 6.0).abs() < 0.1 && scale * 255.0 <= 6.0, "{scale}");
        let signed: Vec<f32> = (-300..=700).map(|i| i as f32 / 100.0).collect();
        let Levels { scale, zero_point } = of(&signed).levels();
        assert!((f64::from(scale) * 255.0 - 10.0).abs() < 0.2, "{scale}");
        assert!((f32::from(zero_point) * scale - 3.0).abs() < 0.1, "{zero_point}");
        let many: Vec<f32> = (0..100_000).map(|i| (i % 1000) as f32 / 1000.0).collect();
        let mut outlier = of(&[3.0]);
        (0..20).for_each(|_| outlier.add(&many));
        assert!(outlier.levels().scale * 255.0 < 2.0, "one value of two million may be off");
    }

    #[test]
    fn a_layer_of_zeros_has_levels_too() {
        assert_eq!(of(&[0.0; 9]).levels(), Levels { scale: 1.0, zero_point: 0 });
    }
}
