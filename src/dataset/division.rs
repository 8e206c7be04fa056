//! Other splits of a data set than the one that stands in its cache: the same rule with another seed, or folds.

use super::{Fractions, ImageFile, Sample, Split, assign_splits, ranked};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Splits in the place of a cache's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Division {
    /// The same rule with another seed.
    Resplit {
        /// In the place of the cache's own.
        seed: u64,
    },
    /// One of several folds, each of which is the test once.
    Fold {
        /// From 1.
        number: usize,
        /// How many there are.
        folds: usize,
        /// Of the order of images.
        seed: u64,
    },
}

/// Gives each file the split that it has in a division; its own split plays no part. Resplit: the rule of
/// [`assign_splits`]. Fold: the distinct images of each class, in the order of that rule, are dealt out to the folds one by
/// one; the fold itself is the test; of the others, beginning with the next fold, the first floor(validation n / 100)
/// are validation, the rest train.
pub fn divide(samples: &[Sample], division: Division, fractions: Fractions) -> Vec<Sample> {
    let files: Vec<ImageFile> = samples.iter().map(|sample| sample.file.clone()).collect();
    let (number, folds, seed) = match division {
        Division::Resplit { seed } => return assign_splits(files, seed, fractions),
        Division::Fold { number, folds, seed } => (number, folds, seed),
    };
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    for images in ranked(&files, seed).values() {
        let validation = images.len() * fractions.validation as usize / 100;
        // How many folds after the test's an image's own fold comes.
        let after = |i: usize| (i + folds - (number - 1)) % folds;
        let mut others: Vec<usize> = (0..images.len()).filter(|&i| after(i) > 0).collect();
        others.sort_by_key(|&i| (after(i), i));
        splits.extend(images.iter().map(|(_, hash)| (*hash, Split::Test)));
        for (rank, &i) in others.iter().enumerate() {
            let split = if rank < validation { Split::Validation } else { Split::Train };
            splits.insert(images[i].1, split);
        }
    }
    files.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }).collect()
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resplit { seed } => write!(f, "split {seed}"),
            Self::Fold { number, folds, .. } => write!(f, "fold {number} of {folds}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{class, file};
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_image_is_the_test_of_one_fold_and_validation_and_train_share_the_others() {
        let mut files = [class("a", 23), class("b", 40), class("c", 3)].concat();
        files.push(file("a/copy", "a0"));
        let samples = assign_splits(files, 0, Fractions::default());
        let fractions: Fractions = "70/10/20".parse().unwrap();
        let mut tests: BTreeMap<String, usize> = BTreeMap::new();
        for number in 1..=5 {
            let division = Division::Fold { number, folds: 5, seed: 7 };
            let divided = divide(&samples, division, fractions);
            assert_eq!(divided.len(), samples.len());
            for sample in divided.iter().filter(|s| s.split == Split::Test) {
                *tests.entry(sample.file.path.clone()).or_default() += 1;
            }
            for (label, n) in [("a", 23usize), ("b", 40), ("c", 3)] {
                let own = |split| {
                    let own = divided.iter().filter(|s| s.file.label == label && s.split == split);
                    own.map(|s| s.file.image_sha256).collect::<BTreeSet<_>>().len()
                };
                assert!([n / 5, n.div_ceil(5)].contains(&own(Split::Test)), "{label} {number}");
                assert_eq!(own(Split::Validation), n / 10);
            }
            assert_eq!(divide(&samples, division, fractions), divided);
        }
        assert!(tests.len() == samples.len() && tests.values().all(|&n| n == 1));
        let again = divide(&samples, Division::Resplit { seed: 3 }, Fractions::default());
        let files = samples.iter().map(|sample| sample.file.clone()).collect();
        assert_eq!(again, assign_splits(files, 3, Fractions::default()));
    }
}
