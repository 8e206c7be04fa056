//! Features and class indexes of one split as arrays, for other estimators.

use super::feature_table::FeatureTable;
use super::split_rows::RowSelection;
use crate::cache::Key;
use ndarray::{Array1, Array2};

/// Features and class indexes of one split (X and y).
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledRows {
    /// Features as the network gave them, `[rows, width]`.
    pub features: Array2<f32>,
    /// Class index of each row, `[rows]`; `TrainingSet::classes` has the names.
    pub targets: Array1<usize>,
    /// Image and variant of each row, sorted.
    pub keys: Vec<Key>,
}

impl LabelledRows {
    /// Copies the rows of `selection` out of a table that holds them.
    pub(super) fn of(table: &FeatureTable, selection: RowSelection) -> Self {
        let selected = table.select(&selection);
        let rows = selected.rows();
        let values = rows.examples.iter().flat_map(|example| rows.features.row(example.row as usize));
        let shape = (selection.keys.len(), rows.features.width());
        let features = Array2::from_shape_vec(shape, values.copied().collect()).expect("rows of one width");
        let targets = selection.targets.iter().map(|&target| target as usize).collect();
        Self { features, targets, keys: selection.keys }
    }
}
