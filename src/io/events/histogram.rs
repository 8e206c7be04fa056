//! Histograms of float32 values in buckets of equal width.

use super::messages::HistogramProto;
use std::borrow::Cow;

/// Number of buckets, the default of `tf.summary.histogram`.
const BUCKETS: usize = 30;

/// Number of parallel sums.
const LANES: usize = 8;

/// The distribution of values between the smallest and the largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    min: f64,
    max: f64,
    count: u64,
    sum: f64,
    sum_squares: f64,
    buckets: [u32; BUCKETS],
}

impl Histogram {
    /// Counts the finite values in `parts`; others are left out. Sums are taken in float64 in eight lanes of fixed order, so
    /// that the same parts give the same bits.
    pub fn of<'a>(parts: impl Iterator<Item = &'a [f32]> + Clone) -> Self {
        let mut lanes = Lanes::default();
        parts.clone().for_each(|part| lanes.add(&finite(part)));
        let mut histogram = lanes.finish();
        let per_width = BUCKETS as f64 / (histogram.max - histogram.min).max(f64::MIN_POSITIVE);
        // Several sets of counts, so that equal values in a row do not wait for each other.
        let mut counts = [[0u32; BUCKETS]; LANES];
        for part in parts {
            for (i, &value) in finite(part).iter().enumerate() {
                let at = ((f64::from(value) - histogram.min) * per_width) as usize;
                // The largest value belongs to the last bucket.
                counts[i % LANES][at.min(BUCKETS - 1)] += 1;
            }
        }
        for (i, bucket) in histogram.buckets.iter_mut().enumerate() {
            *bucket = counts.iter().map(|count| count[i]).sum();
        }
        histogram
    }

    /// Builds the message: each bucket ends at its limit, the first starts at the smallest value.
    pub(super) fn message(&self) -> HistogramProto {
        let width = (self.max - self.min) / BUCKETS as f64;
        // Limits must increase, so that equal values go into one bucket.
        let (limits, buckets) = match width > 0.0 {
            true => {
                let inner = (1..BUCKETS).map(|i| self.min + width * i as f64);
                (inner.chain([self.max]).collect(), self.buckets.map(f64::from).to_vec())
            }
            false => (vec![self.max], vec![self.count as f64]),
        };
        HistogramProto {
            min: self.min,
            max: self.max,
            num: self.count as f64,
            sum: self.sum,
            sum_squares: self.sum_squares,
            bucket_limit: limits,
            bucket: buckets,
        }
    }
}

/// Returns the finite values.
fn finite(values: &[f32]) -> Cow<'_, [f32]> {
    // Without a branch for each value the compiler can use vector instructions.
    let largest = values.iter().fold(0, |largest: u32, value| largest.max(value.abs().to_bits()));
    match largest < f32::INFINITY.to_bits() {
        true => Cow::Borrowed(values),
        false => values.iter().copied().filter(|value| value.is_finite()).collect(),
    }
}

/// Running sums in parallel lanes.
struct Lanes {
    count: u64,
    min: [f32; LANES],
    max: [f32; LANES],
    sum: [f64; LANES],
    sum_squares: [f64; LANES],
}

impl Default for Lanes {
    fn default() -> Self {
        let (min, max) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        Self { count: 0, min, max, sum: [0.0; LANES], sum_squares: [0.0; LANES] }
    }
}

impl Lanes {
    fn add(&mut self, values: &[f32]) {
        self.count += values.len() as u64;
        let (chunks, rest) = values.as_chunks::<LANES>();
        chunks.iter().for_each(|chunk| (0..LANES).for_each(|i| self.add_one(i, chunk[i])));
        rest.iter().enumerate().for_each(|(i, &value)| self.add_one(i, value));
    }

    fn add_one(&mut self, lane: usize, value: f32) {
        self.min[lane] = if value < self.min[lane] { value } else { self.min[lane] };
        self.max[lane] = if value > self.max[lane] { value } else { self.max[lane] };
        let value = f64::from(value);
        self.sum[lane] += value;
        self.sum_squares[lane] += value * value;
    }

    /// Combines the lanes into a histogram with empty buckets.
    fn finish(self) -> Histogram {
        let min = self.min.into_iter().fold(f32::INFINITY, f32::min);
        let max = self.max.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let (min, max) = if self.count == 0 { (0.0, 0.0) } else { (f64::from(min), f64::from(max)) };
        let (sum, sum_squares) = (self.sum.iter().sum(), self.sum_squares.iter().sum());
        Histogram { min, max, count: self.count, sum, sum_squares, buckets: [0; BUCKETS] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(values: &[f32]) -> HistogramProto {
        Histogram::of(std::iter::once(values)).message()
    }

    #[test]
    fn values_are_counted_by_bucket() {
        let message = message(&[0.0, 1.0, 1.5, 29.0, 30.0]);
        assert_eq!((message.min, message.max, message.num, message.sum), (0.0, 30.0, 5.0, 61.5));
        assert_eq!(message.sum_squares, 1.0 + 2.25 + 841.0 + 900.0);
        assert_eq!(
            (message.bucket_limit.len(), message.bucket_limit[0], message.bucket_limit[29]),
            (30, 1.0, 30.0)
        );
        assert_eq!((message.bucket[0], message.bucket[1], message.bucket[29]), (1.0, 2.0, 2.0));
        assert_eq!(message.bucket.iter().sum::<f64>(), 5.0);
    }

    #[test]
    fn equal_missing_huge_and_non_finite_values_are_handled() {
        let equal = message(&[0.25; 7]);
        assert_eq!((&equal.bucket_limit[..], &equal.bucket[..]), (&[0.25][..], &[7.0][..]));
        let none = message(&[]);
        assert_eq!((none.num, none.min, none.max, &none.bucket[..]), (0.0, 0.0, 0.0, &[0.0][..]));
        let odd = message(&[f32::NAN, 1.0, f32::INFINITY, 2.0]);
        assert_eq!((odd.num, odd.max, odd.bucket.iter().sum::<f64>()), (2.0, 2.0, 2.0));
        let huge = message(&[f32::MIN, 0.0, f32::MAX]);
        assert_eq!(huge.bucket.iter().sum::<f64>(), 3.0);
        let tiny = message(&[0.0, f32::from_bits(1)]);
        assert_eq!((tiny.bucket[0], tiny.bucket[29]), (1.0, 1.0));
    }
}
