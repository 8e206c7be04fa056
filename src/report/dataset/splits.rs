//! Images of each class in each split of a cache.

use crate::cache::Samples;
use crate::data::dataset::{Split, split_counts};
use serde::Serialize;
use std::collections::BTreeMap;

/// Number of files of a class, or with a label, in each split of a cache.
#[derive(Debug, Clone, Serialize)]
pub struct ClassSplits {
    /// The class.
    pub name: String,
    /// Files in train, validation and test, by the name of the split.
    pub splits: BTreeMap<&'static str, usize>,
}

impl ClassSplits {
    /// Number of files in a split.
    pub fn files(&self, split: Split) -> usize {
        self.splits.get(split.name()).copied().unwrap_or(0)
    }
}

/// Counts the files of each class in each split, the largest class first.
pub(super) fn count(samples: &Samples) -> Vec<ClassSplits> {
    let mut classes: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in &samples.rows {
        for label in row.file.labels_or_class() {
            classes.entry(label).or_default().push(row.clone());
        }
    }
    let mut classes: Vec<_> = classes.into_iter().collect();
    classes.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let classes = classes.into_iter();
    classes.map(|(name, rows)| ClassSplits { name: name.into(), splits: split_counts(&rows) }).collect()
}
