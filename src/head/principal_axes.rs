//! Orthonormal axes along which rows vary most, approximately: a few steps of orthogonal iteration (Golub and Van Loan, *Matrix
//! Computations*, 8.2.4).

use super::kernel::{Batch, Kernel};
use super::labelled_features::{Example, LabelledFeatures};
use crate::error::Result;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::in_parallel;
use crate::math::random::Rng;
use std::ops::Range;

/// Features that a thread sums at a time: some groups.
const SPAN: usize = 4 * GROUP;

/// Axes, `[axes, width]`, for rows without their mean; the directions of most variance first. Rows that do not vary along so many
/// directions still get orthonormal axes. Each of the `steps` of the iteration brings the axes nearer to the principal ones.
///
/// # Errors
/// [`Kind::Limit`](crate::error::Kind::Limit) when the system grants no thread.
///
/// # Panics
/// If more axes are asked for than rows have features.
pub(crate) fn principal_axes(centred: &Matrix, count: usize, steps: usize, threads: usize) -> Result<Matrix> {
    assert!(count <= centred.width(), "at most as many axes as features");
    let kernel = Kernel::new();
    let mut rng = Rng::new(0, 7);
    let mut axes = Matrix::zeros(count, centred.width());
    (0..count).for_each(|axis| axes.row_mut(axis).iter_mut().for_each(|value| *value = rng.normal()));
    orthonormalize(kernel, &mut axes, &mut rng);
    for _ in 0..steps {
        axes = multiplied(kernel, centred, &axes, threads)?;
        orthonormalize(kernel, &mut axes, &mut rng);
    }
    // Once more, because what is left of the earlier axes after one pass grows with the range of the lengths.
    orthonormalize(kernel, &mut axes, &mut rng);
    Ok(axes)
}

/// The axes times the covariance of the rows, but for a factor.
fn multiplied(kernel: Kernel, centred: &Matrix, axes: &Matrix, threads: usize) -> Result<Matrix> {
    let examples: Vec<Example> = (0..centred.rows() as u32).map(|row| Example { row, target: 0 }).collect();
    let batches: Vec<&[Example]> = examples.chunks(64).collect();
    let zeros = vec![0.0; axes.rows()];
    let coordinates = in_parallel(threads, &batches, |examples| {
        let mut out = vec![0.0; examples.len() * axes.rows()];
        let batch = Batch::of(LabelledFeatures { features: centred, examples });
        kernel.logits(batch, axes.padded(), &zeros, &mut out);
        Ok(out)
    })?
    .concat();
    let stride = centred.stride();
    let spans: Vec<Range<usize>> =
        (0..stride).step_by(SPAN).map(|from| from..(from + SPAN).min(stride)).collect();
    let sums = in_parallel(threads, &spans, |span| {
        let mut out = vec![0.0; axes.rows() * span.len()];
        let batch = Batch::of(LabelledFeatures { features: centred, examples: &examples });
        kernel.gradient(batch, &coordinates, span.clone(), &mut out);
        Ok(out)
    })?;
    let mut multiplied = Matrix::zeros(axes.rows(), axes.width());
    for (span, sums) in spans.iter().zip(sums) {
        let end = span.end.min(axes.width());
        for (axis, sums) in sums.chunks_exact(span.len()).enumerate() {
            let to = &mut multiplied.row_mut(axis)[span.start..end];
            to.iter_mut().zip(sums).for_each(|(to, &sum)| *to = sum as f32);
        }
    }
    Ok(multiplied)
}

/// Makes the rows orthonormal in their order (Gram and Schmidt). A row that depends on earlier ones is drawn anew.
fn orthonormalize(kernel: Kernel, axes: &mut Matrix, rng: &mut Rng) {
    for axis in 0..axes.rows() {
        let mut own = axes.row(axis).to_vec();
        loop {
            let before = kernel.dot(&own, &own).sqrt();
            own.iter_mut().for_each(|value| *value = (f64::from(*value) / before.max(1e-30)) as f32);
            for earlier in 0..axis {
                let share = kernel.dot(&own, axes.row(earlier));
                kernel.add_scaled(&mut own, axes.row(earlier), -share as f32);
            }
            let length = kernel.dot(&own, &own).sqrt();
            own.iter_mut().for_each(|value| *value = (f64::from(*value) / length.max(1e-30)) as f32);
            // What is left of a much longer row is mostly rounding, and no longer at right angles.
            if length > 0.01 {
                break;
            }
            if length < 1e-4 {
                own.iter_mut().for_each(|value| *value = rng.normal());
            }
        }
        axes.row_mut(axis).copy_from_slice(&own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_orthonormal_and_hold_the_directions_of_most_variance() {
        let mut rng = Rng::new(5, 0);
        let width = 130;
        // Each feature varies less than the one before; the last ones not at all.
        let row = |rng: &mut Rng| -> Vec<f32> {
            (0..width).map(|i| if i < 90 { rng.normal() * 0.8f32.powi(i) } else { 0.0 }).collect()
        };
        let rows = Matrix::from_rows(130, &(0..300).flat_map(|_| row(&mut rng)).collect::<Vec<_>>());
        for (count, threads) in [(1, 1), (12, 2), (130, 3)] {
            let axes = principal_axes(&rows, count, 3, threads).unwrap();
            assert_eq!(axes, principal_axes(&rows, count, 3, 1).unwrap());
            let kernel = Kernel::new();
            for i in 0..count {
                for j in 0..count {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((kernel.dot(axes.row(i), axes.row(j)) - expected).abs() < 1e-6, "{i} {j}");
                }
            }
            let variance = |row: usize| rows.row(row).iter().map(|v| f64::from(v * v)).sum::<f64>();
            let held =
                |row: usize| (0..count).map(|i| kernel.dot(rows.row(row), axes.row(i)).powi(2)).sum::<f64>();
            let share = (0..300).map(held).sum::<f64>() / (0..300).map(variance).sum::<f64>();
            let most: f64 = 1.0 - 0.64f64.powi(count as i32);
            assert!(share > 0.95 * most, "{count}: {share} of {most}");
        }
    }
}
