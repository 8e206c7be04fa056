//! Splits that replace those of a cache for one training: the same rule with another seed, or one of several folds.

use super::split::{Fractions, assign_splits};
use super::units::{Quota, Unit, Units, units};
use super::{ImageFile, Sample, Split};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Another assignment of images to train, validation and test than the one stored in a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resplit {
    /// The rule of [`assign_splits`] with another seed.
    #[serde(rename = "resplit")]
    Random {
        /// Replaces the seed of the cache.
        seed: u64,
    },
    /// One fold of a stratified k-fold cross-validation.
    Fold {
        /// The fold that is the test split, from 1 to `folds`.
        number: usize,
        /// Number of folds, at least 2.
        folds: usize,
        /// Seed of the order in which images are dealt to folds.
        seed: u64,
    },
}

impl Resplit {
    /// Assigns splits by this rule; the splits stored in `samples` are ignored. The result is in the order of `samples`
    /// for a fold, and sorted by path for a random split.
    ///
    /// A random split follows [`assign_splits`]. For a fold, the n distinct images of each class are ordered by the same
    /// rule and dealt to the folds one by one. The fold itself is the test split. Of the other images, beginning with
    /// those of the next fold, the first floor(validation n / 100) are the validation split; the rest is the train split.
    /// The images of a group are in one fold and one split.
    ///
    /// # Panics
    /// When [`Resplit::check`] fails.
    pub fn assign(self, samples: &[Sample], fractions: Fractions) -> Vec<Sample> {
        let files: Vec<ImageFile> = samples.iter().map(|sample| sample.file.clone()).collect();
        let (number, folds, seed) = match self {
            Self::Random { seed } => return assign_splits(files, seed, fractions),
            Self::Fold { number, folds, seed } => (number, folds, seed),
        };
        let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
        let units = units(&files, seed);
        let fold_of = deal(&units, folds);
        // How many folds after the test fold the fold of a unit comes.
        let after = |i: usize| (fold_of[i] + folds - (number - 1)) % folds;
        let mut order: Vec<usize> = (0..units.units.len()).collect();
        order.sort_by_key(|&i| (after(i), i));
        let mut validation = Quota::new(&units.shares(fractions.validation));
        for i in order {
            let unit = &units.units[i];
            let split = match after(i) {
                0 => Split::Test,
                _ if validation.take(unit) => Split::Validation,
                _ => Split::Train,
            };
            splits.extend(unit.images.iter().map(|image| (*image, split)));
        }
        files.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }).collect()
    }

    /// Checks the number of a fold.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a fold that is not 1 to `folds`, or fewer than two folds.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Fold { number, folds, .. } if folds < 2 || !(1..=folds).contains(&number) => {
                let message = format!("there is no fold {number} of {folds}");
                Err(Error::new(Kind::Usage, message).help("number the folds from 1, and take at least 2"))
            }
            _ => Ok(()),
        }
    }

    /// Whether `splits` are the folds of one cross-validation, each of them once, so that they test each image once.
    pub fn are_all_folds(splits: &[Option<Self>]) -> bool {
        let mut numbers = Vec::new();
        let mut dealt = Vec::new();
        for split in splits {
            let Some(Self::Fold { number, folds, seed }) = split else { return false };
            numbers.push(*number);
            dealt.push((*folds, *seed));
        }
        numbers.sort_unstable();
        dealt.iter().all(|of| *of == dealt[0] && of.0 == splits.len())
            && numbers.into_iter().eq(1..=splits.len())
    }

    /// Lists all `folds` folds of one cross-validation.
    ///
    /// # Errors
    /// [`Kind::Usage`] for fewer than two folds.
    pub fn folds(folds: usize, seed: u64) -> Result<Vec<Self>> {
        match folds {
            0 | 1 => Err(Error::new(Kind::Usage, "`folds` must be at least 2")),
            folds => Ok((1..=folds).map(|number| Self::Fold { number, folds, seed }).collect()),
        }
    }
}

/// Deals units to folds, each to the fold that has the fewest images of its classes so far: images on their own to one fold
/// after the other.
fn deal(units: &Units, folds: usize) -> Vec<usize> {
    let mut images = vec![vec![0; units.class_sizes.len()]; folds];
    let fold = |unit: &Unit| {
        let load =
            |fold: &Vec<usize>| unit.classes.iter().map(|&(class, count)| fold[class] * count).sum::<usize>();
        let fewest = (0..folds).min_by_key(|&fold| load(&images[fold])).unwrap_or(0);
        unit.classes.iter().for_each(|&(class, count)| images[fewest][class] += count);
        fewest
    };
    units.units.iter().map(fold).collect()
}

impl fmt::Display for Resplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random { seed } => write!(f, "split {seed}"),
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
    fn every_image_is_tested_in_one_fold_and_validation_and_train_share_the_other_folds() {
        let mut files = [class("a", 23), class("b", 40), class("c", 3)].concat();
        files.push(file("a/copy", "a0"));
        let samples = assign_splits(files, 0, Fractions::default());
        let fractions: Fractions = "70/10/20".parse().unwrap();
        let mut tests: BTreeMap<String, usize> = BTreeMap::new();
        for number in 1..=5 {
            let fold = Resplit::Fold { number, folds: 5, seed: 7 };
            let divided = fold.assign(&samples, fractions);
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
            assert_eq!(fold.assign(&samples, fractions), divided);
        }
        assert!(tests.len() == samples.len() && tests.values().all(|&n| n == 1));
        let again = Resplit::Random { seed: 3 }.assign(&samples, Fractions::default());
        let files = samples.iter().map(|sample| sample.file.clone()).collect();
        assert_eq!(again, assign_splits(files, 3, Fractions::default()));
    }

    #[test]
    fn groups_stay_in_one_fold_and_folds_are_of_like_size() {
        let mut files = [class("a", 120), class("b", 80)].concat();
        for (i, file) in files.iter_mut().enumerate() {
            file.group = (i % 5 > 0).then(|| format!("g{}", i / (3 + i % 2 * 4)));
        }
        let samples = assign_splits(files, 0, Fractions::default());
        let mut fold_of: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for number in 1..=4 {
            let fold = Resplit::Fold { number, folds: 4, seed: 1 }.assign(&samples, Fractions::default());
            let mut splits: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
            for sample in &fold {
                let Some(group) = &sample.file.group else { continue };
                splits.entry(group).or_default().insert(sample.split);
                if sample.split == Split::Test {
                    fold_of.entry(group.clone()).or_default().insert(number);
                }
            }
            assert!(splits.values().all(|splits| splits.len() == 1));
            let tested = fold.iter().filter(|sample| sample.split == Split::Test).count();
            assert!((40..=60).contains(&tested), "{tested} of 200 in fold {number}");
        }
        assert!(fold_of.values().all(|folds| folds.len() == 1));
    }

    #[test]
    fn folds_are_numbered_from_one() {
        assert!(Resplit::folds(3, 0).unwrap().into_iter().all(|fold| fold.check().is_ok()));
        assert!(Resplit::folds(1, 0).is_err() && Resplit::Random { seed: 0 }.check().is_ok());
        for (number, folds) in [(0, 3), (4, 3), (1, 1), (0, 0)] {
            assert!(Resplit::Fold { number, folds, seed: 0 }.check().is_err(), "{number} of {folds}");
        }
    }

    #[test]
    fn records_of_runs_keep_the_names_they_had() {
        let as_written = [
            (Resplit::Random { seed: 3 }, r#"{"resplit":{"seed":3}}"#),
            (Resplit::Fold { number: 1, folds: 5, seed: 0 }, r#"{"fold":{"number":1,"folds":5,"seed":0}}"#),
        ];
        for (resplit, text) in as_written {
            assert_eq!(serde_json::to_string(&resplit).unwrap(), text);
            assert_eq!(serde_json::from_str::<Resplit>(text).unwrap(), resplit);
        }
    }
}
