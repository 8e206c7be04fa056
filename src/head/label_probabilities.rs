//! Probabilities of a head on rows with several labels: that of each label on its own.

use super::kernel::Kernel;
use super::label_sets::sigmoid;
use super::labelled_features::{Example, LabelledFeatures};
use super::softmax_head::Head;
use crate::math::matrix::{Matrix, Probabilities};

impl Head {
    /// Computes the probability of each label on its own, for some rows of a matrix, in the order of the examples. Their targets are
    /// not looked at.
    ///
    /// # Panics
    /// If the matrix has another width than the head.
    pub fn label_probabilities_of(&self, rows: LabelledFeatures) -> Probabilities {
        assert_eq!(rows.features.width(), self.width(), "as many features as the head has");
        let kernel = Kernel::new();
        let mut z = vec![0.0; rows.examples.len() * self.classes()];
        self.logits(kernel, rows, &mut z);
        sigmoid(kernel, &mut z, &mut Vec::new());
        Probabilities::from_values(self.classes(), z)
    }

    /// Computes the probability of each label on its own, for one row of features, `[labels]`.
    ///
    /// # Panics
    /// If the row has another width than the head.
    pub fn label_probabilities(&self, features: &[f32]) -> Vec<f32> {
        let features = Matrix::from_rows(self.width(), features);
        let rows = LabelledFeatures { features: &features, examples: &[Example { row: 0, target: 0 }] };
        self.label_probabilities_of(rows).row(0).to_vec()
    }
}
