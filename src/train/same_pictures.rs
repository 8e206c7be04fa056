//! Pictures that are in two splits although their files differ, such as one that was saved anew: their features are equal.
//! Rows of zeros do not count, since a network gives them for pictures that have nothing in common.

use super::fit_context::FitContext;
use super::split_rows::RowSelection;
use crate::data::augment::Variant;
use crate::data::dataset::Split;
use crate::head::LabelledFeatures;
use crate::run::SamePictures;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

/// Hashes of the features of all images as they are (variant `none`), by split.
#[derive(Debug, Default)]
pub(super) struct FeatureHashes {
    train: HashSet<u64>,
    validation: Vec<u64>,
    test: Vec<u64>,
}

impl FeatureHashes {
    /// Adds rows of a split; `features` holds the rows of `selection` in the same order.
    pub fn add(&mut self, split: Split, selection: &RowSelection, features: LabelledFeatures) {
        for (key, example) in selection.keys.iter().zip(features.examples) {
            if key.variant != Variant::None {
                continue;
            }
            let row = features.features.row(example.row as usize);
            if row.iter().all(|value| *value == 0.0) {
                continue;
            }
            let hash = hash(row);
            match split {
                Split::Train => drop(self.train.insert(hash)),
                Split::Validation => self.validation.push(hash),
                Split::Test => self.test.push(hash),
            }
        }
    }

    /// Counts the images of validation and test whose features are those of an image in another split. An image of both is
    /// counted in the test split too.
    pub fn count(&self) -> SamePictures {
        let validation: HashSet<u64> = self.validation.iter().copied().collect();
        let of = |hashes: &[u64], others: &[&HashSet<u64>]| {
            hashes.iter().filter(|hash| others.iter().any(|other| other.contains(hash))).count()
        };
        SamePictures {
            validation: of(&self.validation, &[&self.train]),
            test: of(&self.test, &[&self.train, &validation]),
        }
    }
}

impl FitContext<'_> {
    /// Counts the pictures of validation and test that are in another split too.
    pub fn same_pictures(&self) -> SamePictures {
        let mut hashes = FeatureHashes::default();
        let splits = self.splits;
        for (split, rows) in [
            (Split::Train, &splits.train),
            (Split::Validation, &splits.validation),
            (Split::Test, &splits.test),
        ] {
            hashes.add(split, rows, self.table.select(rows).rows());
        }
        hashes.count()
    }
}

fn hash(features: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    features.iter().for_each(|value| hasher.write_u32(value.to_bits()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Key;
    use crate::head::Example;
    use crate::io::digest::sha256;
    use crate::math::matrix::Matrix;

    #[test]
    fn equal_features_in_two_splits_are_counted_once_an_image() {
        let mut hashes = FeatureHashes::default();
        let mut add = |split, rows: &[(f32, Variant)]| {
            let values: Vec<f32> = rows.iter().flat_map(|(value, _)| [*value, 1.0]).collect();
            let key = |(i, (_, variant)): (usize, &(f32, Variant))| Key {
                image_sha256: sha256(&[i as u8]),
                variant: *variant,
            };
            let keys = rows.iter().enumerate().map(key).collect();
            let examples: Vec<Example> =
                (0..rows.len() as u32).map(|row| Example { row, target: 0 }).collect();
            let features = Matrix::from_rows(2, &values);
            let selection = RowSelection { keys, targets: vec![0; rows.len()] };
            hashes.add(split, &selection, LabelledFeatures { features: &features, examples: &examples });
        };
        let plain = |value: f32| (value, Variant::None);
        add(Split::Train, &[plain(1.0), plain(2.0), (3.0, Variant::Flip)]);
        add(Split::Validation, &[plain(1.0), plain(3.0), plain(4.0)]);
        add(Split::Test, &[plain(2.0), plain(4.0), plain(5.0), plain(3.5)]);
        assert_eq!(hashes.count(), SamePictures { validation: 1, test: 2 });
    }

    #[test]
    fn rows_of_zeros_are_no_same_picture() {
        let mut hashes = FeatureHashes::default();
        for split in [Split::Train, Split::Validation, Split::Test] {
            let keys = vec![Key { image_sha256: sha256(&[split as u8]), variant: Variant::None }];
            let features = Matrix::from_rows(2, &[0.0, 0.0]);
            let examples = [Example { row: 0, target: 0 }];
            let selection = RowSelection { keys, targets: vec![0] };
            hashes.add(split, &selection, LabelledFeatures { features: &features, examples: &examples });
        }
        assert_eq!(hashes.count(), SamePictures { validation: 0, test: 0 });
    }
}
