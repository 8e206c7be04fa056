//! The rows that a step works on, and the sizes of the blocks that it works in.

use crate::head::labelled_features::{Example, LabelledFeatures};

/// Partial sums in the fixed order of all sums.
pub(super) const LANES: usize = 16;

/// Classes in a block of registers.
pub(super) const CLASSES: usize = 5;

/// Some rows of a padded matrix.
#[derive(Debug, Clone, Copy)]
pub(in crate::head) struct Batch<'a> {
    /// The whole matrix, padded.
    pub features: &'a [f32],
    /// Floats from row to row: a multiple of [`crate::math::matrix::GROUP`].
    pub stride: usize,
    /// The rows of the batch.
    pub examples: &'a [Example],
}

impl<'a> Batch<'a> {
    /// A batch of all `rows`.
    pub fn of(rows: LabelledFeatures<'a>) -> Self {
        let LabelledFeatures { features, examples } = rows;
        Self { features: features.padded(), stride: features.stride(), examples }
    }

    /// Row `i` of the batch, padded.
    #[inline(always)]
    pub(super) fn row(&self, i: usize) -> &'a [f32] {
        let from = self.examples[i].row as usize * self.stride;
        &self.features[from..from + self.stride]
    }
}
