//! Feature rows in memory. Each row is held once, however many selections share it.

use super::split_rows::RowSelection;
use crate::cache::Key;
use crate::head::{Example, LabelledFeatures};
use crate::io::digest::Digest;
use crate::math::matrix::Matrix;
use std::collections::HashMap;

/// Feature rows by key.
#[derive(Debug)]
pub(crate) struct FeatureTable {
    features: Matrix,
    row_of: HashMap<Key, u32>,
}

/// Rows of a table in the order of a selection, with their class indexes.
#[derive(Debug)]
pub(crate) struct SelectedRows<'a> {
    features: &'a Matrix,
    examples: Vec<Example>,
}

impl FeatureTable {
    /// Takes one key for each row of `features`.
    pub(super) fn new(keys: Vec<Key>, features: Matrix) -> Self {
        Self { features, row_of: keys.into_iter().zip(0..).collect() }
    }

    /// The weight of each row, given that of an image.
    pub fn row_weights(&self, weight: impl Fn(&Digest) -> f32) -> Vec<f32> {
        let mut weights = vec![1.0; self.features.rows()];
        self.row_of.iter().for_each(|(key, &row)| weights[row as usize] = weight(&key.image_sha256));
        weights
    }

    /// Finds the rows of a selection.
    ///
    /// # Panics
    /// When the table was loaded without one of them.
    pub fn select(&self, selection: &RowSelection) -> SelectedRows<'_> {
        let rows = selection.keys.iter().zip(&selection.targets);
        let examples = rows.map(|(key, &target)| Example { row: self.row_of[key], target }).collect();
        SelectedRows { features: &self.features, examples }
    }
}

impl SelectedRows<'_> {
    /// The rows as the head takes them.
    pub fn rows(&self) -> LabelledFeatures<'_> {
        LabelledFeatures { features: self.features, examples: &self.examples }
    }
}
