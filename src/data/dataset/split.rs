//! The split rule: which images of a class are train, validation and test.

use super::{ImageFile, Sample, Split};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

/// Percentages of train, validation and test, written `70/5/25`. They add up to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fractions {
    /// Percent of each class for training. Images left over by rounding are added.
    pub train: u32,
    /// Percent of each class for validation, rounded down to whole images.
    pub validation: u32,
    /// Percent of each class for the test, rounded down to whole images.
    pub test: u32,
}

/// Assigns a split to each file, and sorts the files by path.
///
/// The n distinct images of each class are ordered by the SHA-256 of the text `{seed}:{image_sha256}`. The first
/// floor(test n / 100) are test, the next floor(validation n / 100) validation, the rest train. Because the order of two
/// images does not depend on others, adding or removing an image moves few others to another split.
pub fn assign_splits(mut files: Vec<ImageFile>, seed: u64, fractions: Fractions) -> Vec<Sample> {
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    for images in ranked(&files, seed).values() {
        let share = |percent: u32| images.len() * percent as usize / 100;
        let (test, validation) = (share(fractions.test), share(fractions.validation));
        for (i, (_, digest)) in images.iter().enumerate() {
            let split = match i {
                i if i < test => Split::Test,
                i if i < test + validation => Split::Validation,
                _ => Split::Train,
            };
            splits.insert(*digest, split);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }).collect()
}

/// Returns the distinct images of each class in the order of the split rule, as pairs of rank and digest. The rank is the
/// SHA-256 of the text `{seed}:{image_sha256}`.
pub(super) fn ranked(files: &[ImageFile], seed: u64) -> BTreeMap<&str, Vec<(Digest, Digest)>> {
    let mut classes: BTreeMap<&str, Vec<(Digest, Digest)>> = BTreeMap::new();
    for file in files {
        let rank = sha256(format!("{seed}:{}", file.image_sha256).as_bytes());
        classes.entry(&file.label).or_default().push((rank, file.image_sha256));
    }
    for images in classes.values_mut() {
        images.sort_unstable();
        images.dedup();
    }
    classes
}

impl Default for Fractions {
    fn default() -> Self {
        Self { train: 70, validation: 5, test: 25 }
    }
}

impl fmt::Display for Fractions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.train, self.validation, self.test)
    }
}

impl FromStr for Fractions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Option<Vec<u32>> = text.split('/').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some(&[train, validation, test])
                if train > 0
                    && [train, validation, test].iter().all(|&p| p <= 100)
                    && train + validation + test == 100 =>
            {
                Ok(Self { train, validation, test })
            }
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a split of the data"))
                .help("give percentages of train/validation/test that add up to 100, such as 70/5/25")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{class, file};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_split_of_the_article_is_floor_per_class() {
        // The ten classes of the 2017 article: 1,456 images, published as 1027 / 68 / 361.
        let sizes = [77, 236, 121, 530, 109, 71, 55, 53, 60, 144];
        let files = sizes.iter().enumerate().flat_map(|(i, &n)| class(&format!("c{i}"), n)).collect();
        let samples = assign_splits(files, 0, Fractions::default());
        let counts = Split::ALL.map(|split| samples.iter().filter(|s| s.split == split).count());
        assert_eq!(counts, [1027, 68, 361]);
    }

    #[test]
    fn copies_share_one_split_and_count_once() {
        let mut files = class("a", 40);
        files.push(file("a/copy", "a0"));
        let samples = assign_splits(files, 3, Fractions::default());
        assert_eq!(samples.len(), 41);
        let distinct: BTreeSet<_> = samples.iter().map(|s| (s.file.image_sha256, s.split)).collect();
        assert_eq!(distinct.len(), 40);
        assert_eq!(distinct.iter().filter(|(_, split)| *split == Split::Test).count(), 10);
    }

    #[test]
    fn fractions_must_add_up() {
        assert_eq!("70/5/25".parse::<Fractions>().unwrap(), Fractions::default());
        for bad in ["70/5", "70/5/26", "0/50/50", "a/b/c", "70/5/25/0", "-70/85/85", "4294967295/1/100"] {
            assert!(bad.parse::<Fractions>().is_err(), "{bad}");
        }
    }
}
