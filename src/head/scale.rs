//! Standardisation: features brought to mean 0 and deviation 1 batch by batch, and folded into the head that is kept,
//! so that whoever uses a head need not know.

use super::Head;
use super::kernel::{Batch, Example, Kernel};
use crate::matrix::Matrix;

/// Mean and deviation of each feature over some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// One over each deviation.
    inverse: Vec<f32>,
}

/// Means and sums of squares of rows seen one after the other (Welford 1962), in float64.
#[derive(Debug)]
pub struct Moments {
    rows: usize,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Of no rows yet, of `width` features.
    pub fn new(width: usize) -> Self {
        Self { rows: 0, mean: vec![0.0; width], squares: vec![0.0; width] }
    }

    /// One more row.
    pub fn add(&mut self, row: &[f32]) {
        self.rows += 1;
        let share = 1.0 / self.rows as f64;
        for ((&x, mean), squares) in row.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let off = f64::from(x) - *mean;
            *mean += off * share;
            *squares += off * (f64::from(x) - *mean);
        }
    }

    /// The mean and the deviation over all rows; 1 for a feature that never varies, as scikit-learn's
    /// `StandardScaler` has it.
    pub fn scale(&self) -> Scale {
        let deviation = |squares: &f64| match (squares / self.rows.max(1) as f64).sqrt() as f32 {
            0.0 => 1.0,
            deviation => deviation,
        };
        let deviation: Vec<f32> = self.squares.iter().map(deviation).collect();
        Scale {
            mean: self.mean.iter().map(|&mean| mean as f32).collect(),
            inverse: deviation.iter().map(|deviation| 1.0 / deviation).collect(),
            deviation,
        }
    }
}

impl Scale {
    /// Of these rows of a matrix.
    pub fn of(features: &Matrix, examples: &[Example]) -> Self {
        let mut moments = Moments::new(features.width());
        examples.iter().for_each(|example| moments.add(features.row(example.row as usize)));
        moments.scale()
    }

    /// The standardised rows of a batch, in `to`.
    pub(super) fn batch<'a>(
        &self,
        kernel: Kernel,
        from: Batch,
        (to, order): (&'a mut Matrix, &'a mut Vec<Example>),
    ) -> Batch<'a> {
        order.clear();
        for (i, example) in from.examples.iter().enumerate() {
            order.push(Example { row: i as u32, target: example.target });
            let row = &from.features[example.row as usize * from.stride..];
            kernel.standardize(row, &self.mean, &self.inverse, to.row_mut(i));
        }
        Batch { features: to.padded(), stride: to.stride(), examples: order }
    }

    /// The head for plain features that answers as `head` does for standardised ones:
    /// w . (x - mean) / deviation + b = (w / deviation) . x + (b - sum of w mean / deviation).
    pub fn folded(&self, head: &Head) -> Head {
        let mut plain = head.clone();
        for class in 0..head.classes() {
            let scales = self.mean.iter().zip(&self.deviation);
            for (w, (&mean, deviation)) in plain.weight.row_mut(class).iter_mut().zip(scales) {
                *w /= deviation;
                plain.bias[class] -= *w * mean;
            }
        }
        plain
    }

    /// The head for standardised features that answers as `head` does for plain ones.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_folded_head_answers_plain_rows_as_its_origin_answers_standardised_ones() {
        let mut rng = Rng::new(1, 9);
        let rows: Vec<f32> =
            (0..40 * 5).map(|i| if i % 5 == 4 { 7.0 } else { 3.0 + (i % 5) as f32 * rng.normal() }).collect();
        let matrix = Matrix::from_rows(5, &rows);
        let examples: Vec<Example> = (0..40).map(|row| Example { row, target: 0 }).collect();
        let scale = Scale::of(&matrix, &examples);
        for feature in 0..5 {
            let column: Vec<f64> = (0..40).map(|row| f64::from(matrix.row(row)[feature])).collect();
            let mean = column.iter().sum::<f64>() / 40.0;
            let deviation = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40.0).sqrt();
            assert!((f64::from(scale.mean[feature]) - mean).abs() < 1e-5);
            let expected = if deviation == 0.0 { 1.0 } else { deviation };
            assert!((f64::from(scale.deviation[feature]) - expected).abs() < 1e-5);
        }
        let (mut to, mut order) = (Matrix::zeros(40, 5), Vec::new());
        let plain = Batch { features: matrix.padded(), stride: matrix.stride(), examples: &examples };
        let standardised: Vec<f32> = scale
            .batch(Kernel::new(), plain, (&mut to, &mut order))
            .features
            .chunks(64)
            .flat_map(|row| row[..5].to_vec())
            .collect();
        let head = Head::fresh(5, 3, 2);
        let (expected, folded) = (head.probabilities(&standardised), scale.folded(&head));
        for (a, b) in expected.iter().flatten().zip(folded.probabilities(&rows).iter().flatten()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        let back = scale.unfolded(&folded);
        assert!(back.weight().iter().zip(head.weight()).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(back.bias().iter().zip(head.bias()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
