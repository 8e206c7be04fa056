//! The inverse of a symmetric positive definite matrix, in blocks of columns on this crate's kernel.

use crate::head::kernel::{Batch, Kernel};
use crate::head::labelled_features::Example;
use crate::math::matrix::{GROUP, Matrix};
use crate::math::parallel::in_parallel;
use std::ops::Range;

/// A matrix on its way to the inverse. The same operations on columns that turn the matrix A into its Cholesky factor L turn the
/// identity into L^-T, because `[A; I] L^-T = [L; L^-T]`; so both are computed together, block of columns by block of columns, from
/// inner products of rows (Golub and Van Loan 2013, *Matrix Computations*, section 4.2.5: the form that looks left).
struct Factors {
    kernel: Kernel,
    threads: usize,
    /// A, whose lower half becomes L.
    lower: Matrix,
    /// L^-T.
    upper: Matrix,
    /// All rows.
    rows: Vec<Example>,
}

/// Some rows of one of the two matrices, with the columns before the present block that are not zero.
struct Panel {
    is_lower: bool,
    rows: Range<usize>,
    span: Range<usize>,
}

/// Returns the inverse of `matrix`, `[n, n]` with n a multiple of [`GROUP`], of which only the lower half is read. `None` where
/// it is not positive definite in float32.
pub(super) fn inverse(kernel: Kernel, matrix: Matrix, threads: usize) -> Option<Matrix> {
    let n = matrix.rows();
    assert_eq!((matrix.width(), n % GROUP), (n, 0), "whole blocks");
    let rows = (0..n as u32).map(|row| Example { row, target: 0 }).collect();
    let mut factors = Factors { kernel, threads, lower: matrix, upper: Matrix::zeros(n, n), rows };
    for from in (0..n).step_by(GROUP) {
        factors.columns(from)?;
    }
    Some(factors.product())
}

impl Factors {
    /// Computes the block of columns that begins at `from`.
    fn columns(&mut self, from: usize) -> Option<()> {
        let (block, n) = (from..from + GROUP, self.rows.len());
        let own = Panel { is_lower: true, rows: block.clone(), span: 0..from };
        let root = inverse_root(&self.remainder(&own, from))?;
        let chunks = |rows: Range<usize>| rows.step_by(GROUP).map(|first| first..first + GROUP);
        let below = chunks(block.end..n).map(|rows| Panel { is_lower: true, rows, span: 0..from });
        let above = chunks(0..block.end).map(|rows| Panel { is_lower: false, span: rows.start..from, rows });
        let panels: Vec<Panel> = below.chain(above).collect();
        let found = in_parallel(self.threads, &panels, |panel| {
            let rest = Matrix::from_rows(GROUP, &self.remainder(panel, from));
            let batch = Batch { features: rest.padded(), stride: GROUP, examples: &self.rows[..GROUP] };
            let mut out = vec![0.0; GROUP * GROUP];
            self.kernel.products(batch, root.padded(), 0..GROUP, &mut out);
            Ok(out)
        });
        for (panel, values) in panels.iter().zip(found.expect("products cannot fail")) {
            let to = if panel.is_lower { &mut self.lower } else { &mut self.upper };
            for (row, values) in panel.rows.clone().zip(values.chunks_exact(GROUP)) {
                to.row_mut(row)[block.clone()].copy_from_slice(values);
            }
        }
        Some(())
    }

    /// What is left of the rows of a panel in the block of columns that begins at `from`, when the products with the columns
    /// before it are taken off: `[GROUP, GROUP]`.
    fn remainder(&self, panel: &Panel, from: usize) -> Vec<f32> {
        let of = if panel.is_lower { &self.lower } else { &self.upper };
        let mut rest = vec![0.0; GROUP * GROUP];
        let batch =
            Batch { features: of.padded(), stride: of.stride(), examples: &self.rows[panel.rows.clone()] };
        let pivots = &self.lower.padded()[from * self.lower.stride()..];
        self.kernel.products(batch, pivots, panel.span.clone(), &mut rest);
        for (row, rest) in panel.rows.clone().zip(rest.chunks_exact_mut(GROUP)) {
            for (j, rest) in rest.iter_mut().enumerate() {
                let value = match panel.is_lower {
                    true => self.lower.row(row)[from + j],
                    false => f32::from(u8::from(row == from + j)),
                };
                *rest = value - *rest;
            }
        }
        rest
    }

    /// The inverse, L^-T L^-1, in place of L.
    fn product(mut self) -> Matrix {
        let n = self.rows.len();
        let groups = n / GROUP;
        let pairs: Vec<(usize, usize)> = (0..groups).flat_map(|i| (i..groups).map(move |j| (i, j))).collect();
        let upper = &self.upper;
        let products = in_parallel(self.threads, &pairs, |&(i, j)| {
            let examples = &self.rows[i * GROUP..][..GROUP];
            let batch = Batch { features: upper.padded(), stride: n, examples };
            let mut out = vec![0.0; GROUP * GROUP];
            self.kernel.products(batch, &upper.padded()[j * GROUP * n..], j * GROUP..n, &mut out);
            Ok(out)
        });
        for (&(i, j), product) in pairs.iter().zip(products.expect("products cannot fail")) {
            for (row, product) in product.chunks_exact(GROUP).enumerate() {
                self.lower.row_mut(i * GROUP + row)[j * GROUP..][..GROUP].copy_from_slice(product);
            }
            for column in 0..if i == j { 0 } else { GROUP } {
                let to = &mut self.lower.row_mut(j * GROUP + column)[i * GROUP..][..GROUP];
                to.iter_mut().enumerate().for_each(|(row, to)| *to = product[row * GROUP + column]);
            }
        }
        self.lower
    }
}

/// The inverse of the Cholesky factor of a block `[GROUP, GROUP]`, in float64. `None` if the block is not positive definite.
fn inverse_root(block: &[f32]) -> Option<Matrix> {
    let mut root = vec![0.0f64; GROUP * GROUP];
    for i in 0..GROUP {
        for j in 0..=i {
            let products = (0..j).map(|k| root[i * GROUP + k] * root[j * GROUP + k]);
            let rest = f64::from(block[i * GROUP + j]) - products.sum::<f64>();
            root[i * GROUP + j] = match i == j {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / root[j * GROUP + j],
            };
        }
    }
    let mut inverse = Matrix::zeros(GROUP, GROUP);
    let mut column = [0.0f64; GROUP];
    for j in 0..GROUP {
        for i in j..GROUP {
            let products: f64 = (j..i).map(|k| root[i * GROUP + k] * column[k]).sum();
            column[i] = (f64::from(u8::from(i == j)) - products) / root[i * GROUP + i];
            inverse.row_mut(i)[j] = column[i] as f32;
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    /// A A^T + shift I for a drawn A, `[n, n]`.
    fn positive(n: usize, shift: f32) -> Matrix {
        let mut rng = Rng::new(4, 9);
        let a: Vec<Vec<f32>> = (0..n).map(|_| (0..n / 2).map(|_| rng.normal()).collect()).collect();
        let mut matrix = Matrix::zeros(n, n);
        for i in 0..n {
            for j in 0..n {
                let product: f32 = a[i].iter().zip(&a[j]).map(|(a, b)| a * b).sum();
                matrix.row_mut(i)[j] = product + if i == j { shift } else { 0.0 };
            }
        }
        matrix
    }

    #[test]
    fn the_product_with_the_inverse_is_the_identity_whatever_the_threads() {
        for n in [64, 192, 256] {
            let matrix = positive(n, 10.0);
            let found = inverse(Kernel::new(), matrix.clone(), 1).unwrap();
            for i in 0..n {
                for j in 0..n {
                    let products =
                        matrix.row(i).iter().zip(found.row(j)).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    let expected = f64::from(u8::from(i == j));
                    let product: f64 = products.sum();
                    assert!((product - expected).abs() < 1e-4, "{n} {i} {j}: {product}");
                    assert_eq!(found.row(i)[j], found.row(j)[i]);
                }
            }
            // What is right of the diagonal is not read.
            let mut lower = matrix;
            (0..n).for_each(|i| lower.row_mut(i)[i + 1..].fill(f32::NAN));
            assert_eq!(inverse(Kernel::new(), lower, 3), Some(found));
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_has_no_inverse() {
        for odd in [-1.0, 0.0, f32::NAN] {
            let mut matrix = positive(128, 1.0);
            matrix.row_mut(100)[100] = odd;
            assert!(inverse(Kernel::new(), matrix, 2).is_none(), "{odd}");
        }
    }
}
