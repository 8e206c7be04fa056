//! The values of hidden units for the rows of a batch.

use super::kernel::Batch;
use super::labelled_features::{Example, LabelledFeatures};
use crate::math::matrix::Matrix;

/// Buffers for the hidden units of a batch, reused from batch to batch.
#[derive(Debug)]
pub(super) struct HiddenUnits {
    /// `[rows, units]`.
    values: Matrix,
    examples: Vec<Example>,
}

impl HiddenUnits {
    /// Buffers for batches of up to `rows` rows.
    pub fn new(units: usize, rows: usize) -> Self {
        Self { values: Matrix::zeros(rows, units), examples: Vec::with_capacity(rows) }
    }

    /// Takes the outputs `z` of the hidden layer, `[rows, units]`, for the rows of `examples`; those below zero become zero.
    pub fn rectify(&mut self, z: &[f32], examples: &[Example]) {
        let units = self.values.width();
        self.examples.clear();
        for (row, (example, z)) in examples.iter().zip(z.chunks_exact(units.max(1))).enumerate() {
            self.examples.push(Example { row: row as u32, target: example.target });
            for (value, &z) in self.values.row_mut(row).iter_mut().zip(z) {
                // Infinity times zero: what is not finite stays so, below zero too.
                *value = if z <= 0.0 { z * 0.0 + 0.0 } else { z };
            }
        }
    }

    /// Number of rows that were taken.
    pub fn rows(&self) -> usize {
        self.examples.len()
    }

    /// The units of one row, `[units]`.
    pub fn row(&self, row: usize) -> &[f32] {
        self.values.row(row)
    }

    /// The units of one row for writing.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        self.values.row_mut(row)
    }

    /// The rows that were taken, with the targets of their examples.
    pub fn batch(&self) -> Batch<'_> {
        Batch::of(LabelledFeatures { features: &self.values, examples: &self.examples })
    }
}
