//! Whether caches have the same images in the same splits, so that scores of heads on them can be compared.

use super::split_rows::SplitRows;
use super::training_set::TrainingSet;
use crate::error::{Error, Kind, Result};

/// Checks that a cache has the images, classes and splits of the `first` one, whatever their variants.
///
/// # Errors
/// [`Kind::Cache`] that names both caches.
pub(in crate::train) fn require_same_images(
    (set, splits): (&TrainingSet, &SplitRows),
    (first, of_first): (&TrainingSet, &SplitRows),
) -> Result<()> {
    if has_same_images(splits, of_first) && set.classes() == first.classes() {
        return Ok(());
    }
    let message = format!("its images, classes or splits are not those of {}", first.path().display());
    Err(Error::new(Kind::Cache, message)
        .at(set.path())
        .help("`extract` the same images with the same `split` and `seed` into both"))
}

fn has_same_images(a: &SplitRows, b: &SplitRows) -> bool {
    let images = |splits: &SplitRows| {
        [&splits.train, &splits.validation, &splits.test].map(|rows| {
            let mut images: Vec<_> = rows.images().zip(rows.targets.iter().copied()).collect();
            images.dedup();
            images
        })
    };
    images(a) == images(b)
}
