//! What a data set gives its images besides one class each: several labels, and weights in the loss.

use super::feature_table::FeatureTable;
use super::training_set::TrainingSet;
use crate::data::dataset::label_set;
use crate::head::LabelSets;
use std::collections::BTreeSet;

impl TrainingSet {
    /// The labels, sorted, and those of each class, where images have several labels; else `None`.
    pub(super) fn label_sets(&self) -> Option<(Vec<String>, LabelSets)> {
        if !self.samples().has_label_sets() {
            return None;
        }
        let sets: Vec<Vec<String>> = self.classes().iter().map(|text| label_set(text)).collect();
        let labels: Vec<String> =
            sets.iter().flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let index = |label: &String| labels.binary_search(label).expect("a label of a set");
        let members: Vec<Vec<usize>> = sets.iter().map(|set| set.iter().map(index).collect()).collect();
        let sets = LabelSets::new(labels.len(), &members);
        Some((labels, sets))
    }

    /// The weight of each row of `table` in the loss; `None` where all are 1.
    pub(super) fn row_weights(&self, table: &FeatureTable) -> Option<Vec<f32>> {
        self.samples().has_weights().then(|| {
            let samples = self.samples().by_digest();
            table.row_weights(|image| samples.get(image).map_or(1.0, |sample| sample.file.weight.get()))
        })
    }
}
