//! Labelled feature rows, as fits, scores and baselines take them.

use crate::math::matrix::Matrix;

/// One labelled row of a feature matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Index of the row in its matrix.
    pub row: u32,
    /// Class index.
    pub target: u32,
}

/// Labelled rows of a feature matrix, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct LabelledFeatures<'a> {
    /// Features, `[rows, width]`. The examples may name any of its rows, in any order.
    pub features: &'a Matrix,
    /// The rows, with their classes.
    pub examples: &'a [Example],
}

impl<'a> LabelledFeatures<'a> {
    /// The features of the examples, `width` floats each, in the order of the examples.
    ///
    /// # Panics
    /// The iterator panics if an example names a row that the matrix does not have.
    pub fn feature_rows(self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        self.examples.iter().map(move |example| self.features.row(example.row as usize))
    }

    /// The class indices of the examples.
    pub fn targets(self) -> impl ExactSizeIterator<Item = usize> + 'a {
        self.examples.iter().map(|example| example.target as usize)
    }
}
