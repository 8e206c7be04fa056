//! How values are spread, in buckets of equal width.

use super::messages::HistogramProto;

/// Buckets of a histogram, as many as `tf.summary.histogram` has; TensorBoard draws no more than these.
const BUCKETS: usize = 30;

/// How many of some values lie where between their smallest and their largest.
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
    /// Of `values`; those that are no finite numbers are left out. One pass for the sums, in float64 and in the order of
    /// the values, and one for the buckets.
    pub fn of(values: &[f32]) -> Self {
        let finite = || values.iter().filter(|value| value.is_finite()).map(|&value| f64::from(value));
        let (mut min, mut max, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        let (mut sum, mut sum_squares) = (0.0, 0.0);
        finite().for_each(|value| {
            (min, max, count) = (min.min(value), max.max(value), count + 1);
            (sum, sum_squares) = (sum + value, sum_squares + value * value);
        });
        if count == 0 {
            (min, max) = (0.0, 0.0);
        }
        let per_width = BUCKETS as f64 / (max - min).max(f64::MIN_POSITIVE);
        let mut buckets = [0; BUCKETS];
        finite().for_each(|value| {
            let at = ((value - min) * per_width) as usize;
            // The largest value belongs to the last bucket.
            buckets[at.min(BUCKETS - 1)] += 1;
        });
        Self { min, max, count, sum, sum_squares, buckets }
    }

    /// As TensorBoard has it: each bucket ends at its limit, the first begins at the smallest value.
    pub(super) fn message(&self) -> HistogramProto {
        let width = (self.max - self.min) / BUCKETS as f64;
        // Without an extent there is one bucket: limits must rise.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f32]) -> HistogramProto {
        Histogram::of(values).message()
    }

    #[test]
    fn values_are_counted_where_they_lie() {
        let message = told(&[0.0, 1.0, 1.5, 29.0, 30.0]);
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
    fn values_that_are_alike_absent_huge_or_no_numbers_do_no_harm() {
        let alike = told(&[0.25; 7]);
        assert_eq!((&alike.bucket_limit[..], &alike.bucket[..]), (&[0.25][..], &[7.0][..]));
        let none = told(&[]);
        assert_eq!((none.num, none.min, none.max, &none.bucket[..]), (0.0, 0.0, 0.0, &[0.0][..]));
        let odd = told(&[f32::NAN, 1.0, f32::INFINITY, 2.0]);
        assert_eq!((odd.num, odd.max, odd.bucket.iter().sum::<f64>()), (2.0, 2.0, 2.0));
        let huge = told(&[f32::MIN, 0.0, f32::MAX]);
        assert_eq!(huge.bucket.iter().sum::<f64>(), 3.0);
        let tiny = told(&[0.0, f32::from_bits(1)]);
        assert_eq!((tiny.bucket[0], tiny.bucket[29]), (1.0, 1.0));
    }
}
