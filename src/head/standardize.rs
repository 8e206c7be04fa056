//! Standardization: features are scaled to mean 0 and standard deviation 1 batch by batch during a fit, and the scaling is
//! folded into the head that is kept, so that users of a head need not know about it.

use super::kernel::{Batch, Kernel};
use super::labelled_features::{Example, LabelledFeatures};
use super::linear::Head;
use crate::math::matrix::Matrix;

/// Mean and standard deviation of each feature over some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardizer {
    mean: Vec<f32>,
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

    /// Returns mean and variance of each feature over all rows.
    pub(super) fn mean_and_variance(&self) -> (Vec<f64>, Vec<f64>) {
        let rows = self.rows.max(1) as f64;
        (self.mean.clone(), self.squares.iter().map(|squares| squares / rows).collect())
    }

    /// Returns mean and standard deviation over all rows. A feature that never varies gets the deviation 1, as in
    /// scikit-learn's `StandardScaler`.
    pub fn standardizer(&self) -> Standardizer {
        let deviation = |squares: &f64| match (squares / self.rows.max(1) as f64).sqrt() as f32 {
            0.0 => 1.0,
            deviation => deviation,
        };
        let deviation: Vec<f32> = self.squares.iter().map(deviation).collect();
        Standardizer {
            mean: self.mean.iter().map(|&mean| mean as f32).collect(),
            inverse: deviation.iter().map(|deviation| 1.0 / deviation).collect(),
            deviation,
        }
    }
}

impl Standardizer {
    /// Computes mean and standard deviation over `rows`.
    pub fn fit(rows: LabelledFeatures) -> Self {
        let mut moments = RunningMoments::new(rows.features.width());
        rows.feature_rows().for_each(|row| moments.add(row));
        moments.standardizer()
    }

    /// Folds the scaling into a head for standardized features. The result computes the same from unscaled features:
    /// w . (x - mean) / deviation + b = (w / deviation) . x + (b - sum of w mean / deviation).
    pub fn folded(&self, head: &Head) -> Head {
        let mut unscaled = head.clone();
        for class in 0..head.classes() {
            let scales = self.mean.iter().zip(&self.deviation);
            for (w, (&mean, deviation)) in unscaled.weight.row_mut(class).iter_mut().zip(scales) {
                *w /= deviation;
                unscaled.bias[class] -= *w * mean;
            }
        }
        unscaled
    }

    /// The inverse of [`Standardizer::folded`]: turns a head for unscaled features into one for standardized features.
    pub fn unfolded(&self, head: &Head) -> Head {
        let mut scaled = head.clone();
        for class in 0..head.classes() {
            let scales = self.mean.iter().zip(&self.deviation);
            for (w, (&mean, deviation)) in scaled.weight.row_mut(class).iter_mut().zip(scales) {
                scaled.bias[class] += *w * mean;
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
            let expected = if deviation == 0.0 { 1.0 } else { deviation };
            assert!((f64::from(standardizer.deviation[feature]) - expected).abs() < 1e-5);
        }
        let mut batches = BatchStandardizer::new(&standardizer, 40);
        let standardized = batches.apply(Kernel::new(), Batch::of(plain));
        let standardized: Vec<f32> =
            standardized.features.chunks(64).flat_map(|row| row[..5].to_vec()).collect();
        let head = Head::fresh(5, 3, 2);
        let folded = standardizer.folded(&head);
        let (expected, found) = (head.probabilities(&standardized), folded.probabilities(&rows));
        for (a, b) in expected.values().iter().zip(found.values()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        let back = standardizer.unfolded(&folded);
        assert!(back.weight().iter().zip(head.weight()).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(back.bias().iter().zip(head.bias()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
