//! Distances of held-out images from the classes, from which open-set rejection is calibrated.

use super::feature_table::FeatureTable;
use super::split_rows::{RowSelection, SplitRows};
use crate::data::augment::Variant;
use crate::head::LabelledFeatures;
use crate::head::rejection::{MahalanobisDistance, RejectionDistances};

/// Fits the distance to the train images, and measures the validation and test images (variant `none`).
pub(crate) fn measure(splits: &SplitRows, classes: usize, table: &FeatureTable) -> RejectionDistances {
    let distance = fit_distance(table.select(&reference_rows(&splits.train, usize::MAX)).rows(), classes);
    let of = |rows| distance.of_rows(table.select(rows).rows());
    let (validation, test) = (of(&splits.validation), of(&splits.test));
    RejectionDistances { distance, validation, test }
}

/// The train rows that the distance is fitted to. Variants count only where the head was trained on nothing else. Of more
/// than `most` rows, an evenly spaced part is taken.
pub(super) fn reference_rows(train: &RowSelection, most: usize) -> RowSelection {
    let has_plain = train.keys.iter().any(|key| key.variant == Variant::None);
    let counts = |variant: Variant| !has_plain || variant == Variant::None;
    let rows = || train.keys.iter().zip(&train.targets).filter(|(key, _)| counts(key.variant));
    let every = rows().count().div_ceil(most.max(1)).max(1);
    let (keys, targets) = rows().step_by(every).unzip();
    RowSelection { keys, targets }
}

/// Fits the distance to labelled rows.
pub(super) fn fit_distance(train: LabelledFeatures, classes: usize) -> MahalanobisDistance {
    MahalanobisDistance::fit(train, classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Key;
    use crate::io::digest::sha256;

    #[test]
    fn the_distance_is_fitted_to_plain_images_evenly_spaced_where_there_are_many() {
        let keys = |variants: &[Variant]| -> Vec<Key> {
            let key =
                |(i, variant): (usize, &Variant)| Key { image_sha256: sha256(&[i as u8]), variant: *variant };
            variants.iter().enumerate().map(key).collect()
        };
        let reference = |variants: &[Variant], most: usize| {
            let keys = keys(variants);
            let targets = (0..keys.len() as u32).collect();
            reference_rows(&RowSelection { keys, targets }, most).targets
        };
        use Variant::{Flip, None};
        assert_eq!(reference(&[None, Flip, None, Flip, None], usize::MAX), [0, 2, 4]);
        assert_eq!(reference(&[None, Flip, None, Flip, None], 2), [0, 4]);
        assert_eq!(reference(&[Flip; 7], 3), [0, 3, 6]);
        assert_eq!(reference(&[Flip; 3], 3), [0, 1, 2]);
        assert!(reference(&[], 0).is_empty());
    }
}
