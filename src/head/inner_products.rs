//! Inner products of feature rows with one another, for searches. Each is summed in the same order however the pairs are chosen, so
//! that all pairs at once and a few of them have the same bits.

use super::kernel::{Batch, Kernel};
use super::labelled_features::{Example, LabelledFeatures};
use crate::math::matrix::Matrix;
use std::ops::Range;

pub(crate) use super::kernel::{BoundedRows, PANEL};

/// Inner products with the vectors of this processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InnerProducts(Kernel);

/// Products of a row with some others, in memory that the next ones use again.
#[derive(Debug, Default)]
pub(crate) struct FewProducts {
    /// The products, in the order of the other rows.
    pub products: Vec<f32>,
    examples: Vec<Example>,
}

impl InnerProducts {
    /// Detects the processor's vector instructions.
    pub fn new() -> Self {
        Self(Kernel::new())
    }

    /// Products of some rows of one matrix with some of another: `[rows of the first, rows of the second]`.
    ///
    /// # Panics
    /// If the matrices differ in width, or do not have the rows.
    pub fn all(&self, [(a, rows_a), (b, rows_b)]: [(&Matrix, Range<usize>); 2]) -> Vec<f32> {
        assert_eq!(a.width(), b.width(), "rows of one width");
        let mut out = vec![0.0; rows_a.len() * rows_b.len()];
        let examples: Vec<Example> = rows_a.map(|row| example(row as u32)).collect();
        let zeros = vec![0.0; rows_b.len()];
        let others = &b.padded()[rows_b.start * b.stride()..rows_b.end * b.stride()];
        let batch = Batch::of(LabelledFeatures { features: a, examples: &examples });
        self.0.logits(batch, others, &zeros, &mut out);
        out
    }

    /// Products of row `row` of one matrix with some rows of another, into `few`.
    ///
    /// # Panics
    /// As [`InnerProducts::all`].
    pub fn some(
        &self,
        (a, row): (&Matrix, usize),
        (b, rows): (&Matrix, impl Iterator<Item = u32>),
        few: &mut FewProducts,
    ) {
        assert_eq!(a.width(), b.width(), "rows of one width");
        few.examples.clear();
        few.examples.extend(rows.map(example));
        few.products.clear();
        few.products.resize(few.examples.len(), 0.0);
        let own = &a.padded()[row * a.stride()..][..a.stride()];
        let batch = Batch::of(LabelledFeatures { features: b, examples: &few.examples });
        self.0.logits(batch, own, &[0.0], &mut few.products);
    }

    /// Coordinates of some rows along axes, `[axes, width]`, each with its offset added: `[rows, axes]`.
    ///
    /// # Panics
    /// As [`InnerProducts::all`], or if there is not one offset an axis.
    pub fn coordinates(
        &self,
        (matrix, rows): (&Matrix, Range<usize>),
        axes: &Matrix,
        offsets: &[f32],
    ) -> Vec<f32> {
        assert_eq!(
            (matrix.width(), axes.rows()),
            (axes.width(), offsets.len()),
            "rows and axes of one width"
        );
        let mut out = vec![0.0; rows.len() * axes.rows()];
        let examples: Vec<Example> = rows.map(|row| example(row as u32)).collect();
        let batch = Batch::of(LabelledFeatures { features: matrix, examples: &examples });
        self.0.logits(batch, axes.padded(), offsets, &mut out);
        out
    }

    /// Product of two rows, summed in float64.
    pub fn exact(&self, a: &[f32], b: &[f32]) -> f64 {
        self.0.dot(a, b)
    }

    /// Finds for each of some short rows, `[rows, width]`, the rows of the panels, `[panels, width, PANEL]`, whose product with it is
    /// at least `least[row] - terms[other]` or `least[other] - terms[row]`, and adds them to `found`, a list a row. The number of
    /// rows is a multiple of four. Stops soon after `most` of them, and returns whether all pairs were compared.
    ///
    /// # Panics
    /// If a side lacks values.
    pub fn candidates(
        &self,
        sides: [BoundedRows; 2],
        width: usize,
        found: &mut [Vec<u32>],
        most: usize,
    ) -> bool {
        self.0.candidates(sides, width, found, most)
    }
}

fn example(row: u32) -> Example {
    Example { row, target: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Rng;

    #[test]
    fn a_few_products_have_the_bits_of_all() {
        for width in [1, 70, 2048, 3000] {
            let mut rng = Rng::new(3, 0);
            let mut noise = |rows: usize| {
                Matrix::from_rows(width, &(0..rows * width).map(|_| rng.normal()).collect::<Vec<_>>())
            };
            let (a, b) = (noise(41), noise(37));
            let products = InnerProducts::new();
            let all = products.all([(&a, 2..41), (&b, 1..37)]);
            let (some, mut few) = ([30u32, 4, 5, 36, 1, 9, 11], FewProducts::default());
            for row in 2..41 {
                products.some((&a, row), (&b, some.into_iter()), &mut few);
                for (product, &other) in few.products.iter().zip(&some) {
                    assert_eq!(*product, all[(row - 2) * 36 + other as usize - 1], "{width} {row} {other}");
                    let exact = products.exact(a.row(row), b.row(other as usize));
                    assert!((f64::from(*product) - exact).abs() < 1e-5 * (width as f64).sqrt().max(1.0));
                }
            }
        }
    }
}
