//! Standardization: features are scaled to mean 0 and standard deviation 1 batch by batch during a fit, those that hardly vary to
//! a smaller one. The scaling is folded into the head that is kept, so that users of a head need not know about it.

use super::kernel::{Batch, Kernel};
use super::labelled_features::{Example, LabelledFeatures};
use super::layer::Layer;
use super::softmax_head::Head;
use crate::math::matrix::Matrix;

/// Share of the median standard deviation below which no feature is divided. A feature that hardly varies over few rows would
/// have values of hundreds in the other ones, and decide every answer there.
const LEAST_DEVIATION: f64 = 0.1;

/// Mean and standard deviation of each feature over some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardizer {
    mean: Vec<f32>,
    /// By which each feature is divided: its standard deviation or, where that is small, a floor.
    deviation: Vec<f32>,
    /// 1 / each deviation.
    inverse: Vec<f32>,
}

/// Mean and sum of squared deviations of each feature, updated row by row (Welford 1962) in float64.
#[derive(Debug)]
pub struct RunningMoments {
    rows: usize,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl RunningMoments {
    /// Starts without rows, for `width` features.
    pub fn new(width: usize) -> Self {
        Self { rows: 0, mean: vec![0.0; width], squares: vec![0.0; width] }
    }

    /// Adds one row, `[width]`.
    pub fn add(&mut self, row: &[f32]) {
        self.rows += 1;
        let share = 1.0 / self.rows as f64;
        for ((&x, mean), squares) in row.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let off = f64::from(x) - *mean;
            *mean += off * share;
            *squares += off * (f64::from(x) - *mean);
        }
    }

    /// Returns the mean of each feature over all rows.
    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Returns the variance of each feature over all rows.
    pub(super) fn variance(&self) -> Vec<f64> {
        let rows = self.rows.max(1) as f64;
        self.squares.iter().map(|squares| squares / rows).collect()
    }

    /// Returns by what each feature is divided: its standard deviation, but at least a tenth of the median of those that are
    /// not 0. A feature that never varies is divided by that median, and by 1 if no feature varies.
    pub(super) fn deviations(&self) -> Vec<f64> {
        let mut deviations: Vec<f64> = self.variance().into_iter().map(f64::sqrt).collect();
        let mut varying: Vec<f64> = deviations.iter().copied().filter(|&deviation| deviation > 0.0).collect();
        varying.sort_unstable_by(f64::total_cmp);
        let median = varying.get(varying.len() / 2).copied().unwrap_or(1.0);
        for deviation in &mut deviations {
            *deviation = if *deviation > 0.0 { deviation.max(LEAST_DEVIATION * median) } else { median };
        }
        deviations
    }

    /// Returns the scaling by the moments of all rows.
    pub fn standardizer(&self) -> Standardizer {
        let deviation: Vec<f32> = self.deviations().into_iter().map(|deviation| deviation as f32).collect();
        Standardizer {
            mean: self.mean.iter().map(|&mean| mean as f32).collect(),
            inverse: deviation.iter().map(|deviation| 1.0 / deviation).collect(),
            deviation,
        }
    }
}

impl Standardizer {
    /// Computes the scaling by the moments of `rows`.
    pub fn fit(rows: LabelledFeatures) -> Self {
        let mut moments = RunningMoments::new(rows.features.width());
        rows.feature_rows().for_each(|row| moments.add(row));
        moments.standardizer()
    }

    /// Folds the scaling into a head for standardized features. The result computes the same from unscaled features:
    /// w . (x - mean) / deviation + b = (w / deviation) . x + (b - sum of w mean / deviation).
    pub fn folded(&self, head: &Head) -> Head {
        let mut unscaled = head.clone();
        let Layer { weight, bias } = unscaled.first_mut();
        for (output, bias) in bias.iter_mut().enumerate() {
            let scales = self.mean.iter().zip(&self.deviation);
            for (w, (&mean, deviation)) in weight.row_mut(output).iter_mut().zip(scales) {
                *w /= deviation;
                *bias -= *w * mean;
            }
        }
        unscaled
    }

    /// The inverse of [`Standardizer::folded`]: turns a head for unscaled features into one for standardized features.
    pub fn unfolded(&self, head: &Head) -> Head {
        let mut scaled = head.clone();
        let Layer { weight, bias } = scaled.first_mut();
        for (output, bias) in bias.iter_mut().enumerate() {
            let scales = self.mean.iter().zip(&self.deviation);
            for (w, (&mean, deviation)) in weight.row_mut(output).iter_mut().zip(scales) {
                *bias += *w * mean;
                *w *= deviation;
            }
        }
        scaled
    }
}

/// Buffers for one standardized batch, reused from batch to batch.
#[derive(Debug)]
pub(super) struct BatchStandardizer<'a> {
    standardizer: &'a Standardizer,
    rows: Matrix,
    examples: Vec<Example>,
}

impl<'a> BatchStandardizer<'a> {
    /// Buffers for batches of up to `batch` rows.
    pub fn new(standardizer: &'a Standardizer, batch: usize) -> Self {
        let rows = Matrix::zeros(batch, standardizer.mean.len());
        Self { standardizer, rows, examples: Vec::with_capacity(batch) }
    }

    /// Standardizes a batch.
    pub fn apply(&mut self, kernel: Kernel, from: Batch) -> Batch<'_> {
        let Standardizer { mean, inverse, .. } = self.standardizer;
        self.examples.clear();
        for (i, example) in from.examples.iter().enumerate() {
            self.examples.push(Example { row: i as u32, target: example.target });
            let row = &from.features[example.row as usize * from.stride..];
            kernel.standardize(row, mean, inverse, self.rows.row_mut(i));
        }
        Batch::of(LabelledFeatures { features: &self.rows, examples: &self.examples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    #[test]
    fn a_folded_head_computes_from_plain_rows_what_its_origin_computes_from_standardized_ones() {
        let mut rng = Rng::new(1, 9);
        let rows: Vec<f32> =
            (0..40 * 5).map(|i| if i % 5 == 4 { 7.0 } else { 3.0 + (i % 5) as f32 * rng.normal() }).collect();
        let matrix = Matrix::from_rows(5, &rows);
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let plain = LabelledFeatures { features: &matrix, examples: &examples };
        let standardizer = Standardizer::fit(plain);
        for feature in 0..5 {
            let column: Vec<f64> = (0..40).map(|row| f64::from(matrix.row(row)[feature])).collect();
            let mean = column.iter().sum::<f64>() / 40.0;
            let deviation = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40.0).sqrt();
            assert!((f64::from(standardizer.mean[feature]) - mean).abs() < 1e-5);
            let own = f64::from(standardizer.deviation[feature]);
            assert!(if feature % 4 == 0 { own > 0.0 } else { (own - deviation).abs() < 1e-5 });
        }
        let mut batches = BatchStandardizer::new(&standardizer, 40);
        let standardized = batches.apply(Kernel::new(), Batch::of(plain));
        let standardized: Vec<f32> =
            standardized.features.chunks(64).flat_map(|row| row[..5].to_vec()).collect();
        for head in [Head::fresh(5, 3, 2), Head::with_hidden(5, 8, 3, 2)] {
            let mut folded = standardizer.folded(&head);
            let (expected, found) = (head.probabilities(&standardized), folded.probabilities(&rows));
            for (a, b) in expected.values().iter().zip(found.values()) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
            let mut head = head;
            let (mut back, first) = (standardizer.unfolded(&folded), head.first_mut());
            let own = back.first_mut();
            assert!(own.weight().iter().zip(first.weight()).all(|(a, b)| (a - b).abs() < 1e-6));
            assert!(own.bias.iter().zip(&first.bias).all(|(a, b)| (a - b).abs() < 1e-5));
            assert_eq!(folded.first_mut().outputs(), first.outputs());
        }
    }

    /// Rows of features with these standard deviations: each is its deviation above 5, and below.
    fn with_deviations(deviations: &[f32]) -> Standardizer {
        let mut moments = RunningMoments::new(deviations.len());
        for sign in [1.0, -1.0] {
            moments.add(&deviations.iter().map(|deviation| 5.0 + sign * deviation).collect::<Vec<_>>());
        }
        moments.standardizer()
    }

    #[test]
    fn no_feature_is_divided_by_much_less_than_the_median_deviation() {
        let found = with_deviations(&[2.0, 0.25, 1e-5, 0.0, 4.0, 1.0, 1e-3]).deviation;
        // 1 is the median of those that are not 0.
        let expected = [2.0, 0.25, 0.1, 1.0, 4.0, 1.0, 0.1];
        assert!(
            found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5),
            "{found:?}"
        );
        assert_eq!(with_deviations(&[0.0, 0.0]).deviation, [1.0, 1.0]);
    }
}
