//! The feature rows of each split. Rows are sorted by key, so neither restarts nor compaction of the cache can change a
//! head.

use crate::cache::Key;
use crate::data::augment::Variant;
use crate::data::dataset::{Resplit, Split};
use crate::io::digest::Digest;
use std::collections::HashMap;
use std::sync::Arc;

/// Feature rows by key, sorted, with the class index of each.
#[derive(Debug, Default)]
pub(crate) struct RowSelection {
    pub keys: Vec<Key>,
    pub targets: Vec<u32>,
}

/// The rows that heads are fitted to, stopped on and tested with.
#[derive(Debug)]
pub(crate) struct SplitRows {
    /// Splits that replace those of the cache.
    pub resplit: Option<Resplit>,
    /// Variants of the train images that are trained on.
    pub variants: Vec<Variant>,
    /// The number of the group of each image that is in one with others.
    pub groups: Arc<HashMap<Digest, usize>>,
    pub train: RowSelection,
    /// The validation images as they are.
    pub validation: RowSelection,
    /// The test images as they are.
    pub test: RowSelection,
    /// Variants of the validation images, for averaged predictions. They play no part in early stopping. Only variants
    /// that all images of validation and test have.
    pub validation_variants: RowSelection,
    /// The same variants of the test images.
    pub test_variants: RowSelection,
}

/// Rows that are not trained on, and the split that they belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldOutRows<'a> {
    pub split: Split,
    pub rows: &'a RowSelection,
}

impl RowSelection {
    /// Sorts rows by key and drops repeated ones.
    pub(super) fn sorted(mut rows: Vec<(Key, u32)>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        let (keys, targets) = rows.into_iter().unzip();
        Self { keys, targets }
    }

    /// The rows of the images as they are (variant `none`).
    pub fn plain(&self) -> Self {
        let rows = self.keys.iter().copied().zip(self.targets.iter().copied());
        let (keys, targets) = rows.filter(|(key, _)| key.variant == Variant::None).unzip();
        Self { keys, targets }
    }

    /// The image of each row.
    pub fn images(&self) -> impl Iterator<Item = Digest> {
        self.keys.iter().map(|key| key.image_sha256)
    }

    /// Number of rows of each of `classes` classes.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        self.targets.iter().for_each(|&target| counts[target as usize] += 1);
        counts
    }

    /// Number of distinct images of each of `classes` classes.
    pub fn images_per_class(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        let mut last = None;
        // Variants of one image follow one another, because keys are sorted.
        for (key, &target) in self.keys.iter().zip(&self.targets) {
            counts[target as usize] += usize::from(last != Some(key.image_sha256));
            last = Some(key.image_sha256);
        }
        counts
    }
}

impl SplitRows {
    /// The keys of all rows.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        let held_out = self.held_out().into_iter().map(|part| part.rows);
        std::iter::once(&self.train).chain(held_out).flat_map(|rows| &rows.keys)
    }

    /// Everything that is predicted: validation and test rows with their variants.
    pub fn held_out(&self) -> [HeldOutRows<'_>; 4] {
        [
            HeldOutRows { split: Split::Validation, rows: &self.validation },
            HeldOutRows { split: Split::Validation, rows: &self.validation_variants },
            HeldOutRows { split: Split::Test, rows: &self.test },
            HeldOutRows { split: Split::Test, rows: &self.test_variants },
        ]
    }
}
