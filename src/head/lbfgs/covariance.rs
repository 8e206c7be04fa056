//! The covariance of the centred and scaled features, in float32, for the dense preconditioner.

use super::blocks::FeatureBlocks;
use super::preconditioner::FeatureScales;
use crate::error::Result;
use crate::head::kernel::{Batch, Kernel};
use crate::head::labelled_features::Example;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::in_parallel;

/// Rows that are multiplied at once.
const CHUNK: usize = 1024;

/// Rows for each feature that are enough: a preconditioner need not be exact.
const ROWS_A_FEATURE: usize = 4;

/// Number of rows that are looked at.
pub(super) fn rows_used(rows: usize, width: usize) -> usize {
    rows.min(ROWS_A_FEATURE * width)
}

/// The lower half of a covariance matrix that is being summed.
struct Sums<'a> {
    kernel: Kernel,
    threads: usize,
    scales: &'a FeatureScales,
    /// Pairs of blocks of [`GROUP`] features.
    pairs: Vec<(usize, usize)>,
    matrix: Matrix,
}

/// Computes the lower half of the covariance, `[stride, stride]` with the padding of the rows, over evenly spread rows.
/// What is right of the blocks on the diagonal stays zero.
///
/// # Errors
/// Those of `blocks`.
pub(super) fn covariance(
    blocks: &mut dyn FeatureBlocks,
    rows: usize,
    scales: &FeatureScales,
    kernel: Kernel,
    threads: usize,
) -> Result<Matrix> {
    let width = scales.mean.len();
    let used = rows_used(rows, width);
    let stride = width.next_multiple_of(GROUP);
    let groups = stride / GROUP;
    let pairs = (0..groups).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    let mut sums = Sums { kernel, threads, scales, pairs, matrix: Matrix::zeros(stride, stride) };
    let mut buffer = Matrix::zeros(CHUNK.min(used), width);
    let (mut seen, mut filled) = (0, 0);
    blocks.visit(&mut |block| {
        for row in block.feature_rows() {
            let is_used = (seen + 1) * used / rows > seen * used / rows;
            seen += 1;
            if is_used {
                buffer.row_mut(filled).copy_from_slice(row);
                filled += 1;
            }
            if filled == buffer.rows() {
                sums.add(&buffer, filled);
                filled = 0;
            }
        }
    })?;
    sums.add(&buffer, filled);
    let share = 1.0 / used.max(1) as f32;
    sums.matrix.padded_mut(0..stride).iter_mut().for_each(|sum| *sum *= share);
    Ok(sums.matrix)
}

impl Sums<'_> {
    /// Adds the products of the first rows of a buffer.
    fn add(&mut self, buffer: &Matrix, rows: usize) {
        if rows == 0 {
            return;
        }
        let groups: Vec<usize> = (0..self.matrix.stride() / GROUP).collect();
        let centred = in_parallel(self.threads, &groups, |&group| Ok(self.centred(buffer, rows, group)));
        let centred = centred.expect("nothing can fail");
        let examples: Vec<Example> = (0..GROUP as u32).map(|row| Example { row, target: 0 }).collect();
        let products = in_parallel(self.threads, &self.pairs, |&(i, j)| {
            let (a, b) = (&centred[i], &centred[j]);
            let batch = Batch { features: a.padded(), stride: a.stride(), examples: &examples };
            let mut out = vec![0.0; GROUP * GROUP];
            self.kernel.products(batch, b.padded(), 0..a.stride(), &mut out);
            Ok(out)
        });
        for (&(i, j), product) in self.pairs.iter().zip(products.expect("products cannot fail")) {
            for (row, product) in product.chunks_exact(GROUP).enumerate() {
                let to = &mut self.matrix.row_mut(i * GROUP + row)[j * GROUP..][..GROUP];
                to.iter_mut().zip(product).for_each(|(to, product)| *to += product);
            }
        }
    }

    /// One group of features of some rows, centred and scaled: `[GROUP, rows]`.
    fn centred(&self, buffer: &Matrix, rows: usize, group: usize) -> Matrix {
        let FeatureScales { mean, factor, .. } = self.scales;
        let features = group * GROUP..((group + 1) * GROUP).min(mean.len());
        let mut centred = Matrix::zeros(GROUP, rows);
        // Some rows at a time, so that whole cache lines are written.
        for first in (0..rows).step_by(16) {
            for (i, j) in features.clone().enumerate() {
                let (mean, factor) = (mean[j] as f32, factor[j] as f32);
                let to = &mut centred.row_mut(i)[first..(first + 16).min(rows)];
                for (to, row) in to.iter_mut().zip(first..) {
                    *to = (buffer.row(row)[j] - mean) * factor;
                }
            }
        }
        centred
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_data::network_like;
    use super::*;
    use crate::head::labelled_features::LabelledFeatures;
    use crate::head::lbfgs::blocks::InMemoryBlocks;
    use crate::head::standardize::RunningMoments;

    #[test]
    fn it_is_that_of_plain_sums_in_float64_over_evenly_spread_rows() {
        for (rows, width) in [(90, 70), (700, 100), (1300, 3)] {
            let (features, examples) = network_like(rows, width, 3);
            let used = rows_used(rows, width);
            let chosen: Vec<usize> = (0..rows).filter(|i| (i + 1) * used / rows > i * used / rows).collect();
            assert_eq!(chosen.len(), used);
            let mut moments = RunningMoments::new(width);
            (0..rows).for_each(|row| moments.add(features.row(row)));
            let scales = FeatureScales {
                mean: moments.mean().to_vec(),
                factor: (0..width).map(|j| 1.0 + j as f64 / 10.0).collect(),
                variance: Vec::new(),
            };
            let of = |threads| {
                let labelled = LabelledFeatures { features: &features, examples: &examples };
                let mut blocks = InMemoryBlocks::new(labelled);
                covariance(&mut blocks, rows, &scales, Kernel::new(), threads).unwrap()
            };
            let found = of(1);
            assert_eq!(found, of(3));
            let centred =
                |row: usize, j: usize| (f64::from(features.row(row)[j]) - scales.mean[j]) * scales.factor[j];
            for i in 0..width {
                for j in 0..=i {
                    let sum: f64 = chosen.iter().map(|&row| centred(row, i) * centred(row, j)).sum();
                    let size = scales.factor[i] * scales.factor[j];
                    let off = (f64::from(found.row(i)[j]) - sum / used as f64).abs();
                    assert!(off < 1e-4 * size, "{rows} {i} {j}: {off}");
                }
            }
        }
    }
}
