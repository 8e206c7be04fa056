//! Eigenvectors of a small symmetric matrix. The only door to `linfa-linalg`.

use linfa_linalg::eigh::Eigh;
use ndarray::{Array1, Array2, Axis};

/// Eigenvalues of a symmetric matrix, the largest first, and their vectors as columns; `None` if they are not found, which cannot
/// happen where all numbers are finite.
pub(super) fn eigenvectors(matrix: &Array2<f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    let (values, vectors) = matrix.eigh().ok()?;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    Some((values.select(Axis(0), &order), vectors.select(Axis(1), &order)))
}
