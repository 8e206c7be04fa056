//! The split rule: which images of a class are train, validation and test.

use super::units::{Quota, Unit, units};
use super::{ImageFile, Sample, Split};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use std::collections::HashMap;
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
///
/// An image with several labels counts for each of them, as a group of images does.
///
/// The images of a group stay together. A group has one place in that order, by its name, and becomes test if the test split is
/// nearer to its number of images of each class with the group than without it; else validation by the same rule; else train.
pub fn assign_splits(files: Vec<ImageFile>, seed: u64, fractions: Fractions) -> Vec<Sample> {
    assign_rest(files, seed, fractions, &HashMap::new())
}

/// Assigns a split to each file as [`assign_splits`] does, except to the images in `known`, which have that split already. They
/// count in the fractions.
pub(super) fn assign_rest(
    mut files: Vec<ImageFile>,
    seed: u64,
    fractions: Fractions,
    known: &HashMap<Digest, Split>,
) -> Vec<Sample> {
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    let units = units(&files, seed);
    let [mut test, mut validation] =
        [fractions.test, fractions.validation].map(|percent| Quota::new(&units.shares(percent)));
    // All images of a unit are known or none is.
    let of_unit = |unit: &Unit| unit.images.first().and_then(|image| known.get(image)).copied();
    for unit in &units.units {
        match of_unit(unit) {
            Some(Split::Test) => test.add(unit),
            Some(Split::Validation) => validation.add(unit),
            Some(Split::Train) | None => {}
        }
    }
    for unit in &units.units {
        let split = match of_unit(unit) {
            Some(split) => split,
            None if test.take(unit) => Split::Test,
            None if validation.take(unit) => Split::Validation,
            None => Split::Train,
        };
        splits.extend(unit.images.iter().map(|image| (*image, split)));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }).collect()
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

    /// Images of three classes in groups of 1 to 9 images, some of which hold several classes; every seventh image is on its
    /// own.
    fn grouped(images: usize) -> Vec<ImageFile> {
        let mut files = Vec::new();
        let (mut group, mut left) = (0, 1);
        for i in 0..images {
            let mut image = file(&format!("c{}/{i:04}", (group + i / 97) % 3), &i.to_string());
            image.group = (i % 7 > 0).then(|| format!("patient {group}"));
            files.push(image);
            left -= 1;
            if left == 0 {
                group += 1;
                left = 1 + group * 5 % 9;
            }
        }
        files
    }

    fn splits_of_groups(samples: &[Sample]) -> HashMap<&str, BTreeSet<Split>> {
        let mut splits: HashMap<&str, BTreeSet<Split>> = HashMap::new();
        for sample in samples {
            if let Some(group) = &sample.file.group {
                splits.entry(group).or_default().insert(sample.split);
            }
        }
        splits
    }

    #[test]
    fn no_group_crosses_splits_and_the_fractions_are_met_as_closely_as_groups_allow() {
        for seed in 0..20 {
            for images in [60, 211, 800] {
                let samples = assign_splits(grouped(images), seed, Fractions::default());
                assert!(splits_of_groups(&samples).values().all(|splits| splits.len() == 1), "{seed}");
                for class in ["c0", "c1", "c2"] {
                    let own = |split: Option<Split>| {
                        let is_own =
                            |s: &&Sample| s.file.label == class && split.is_none_or(|split| s.split == split);
                        samples.iter().filter(is_own).count() as i64
                    };
                    for (split, percent) in [(Split::Test, 25), (Split::Validation, 5)] {
                        let wanted = own(None) * percent / 100;
                        // No unit has more than 9 images.
                        assert!((own(Some(split)) - wanted).abs() <= 9, "{seed} {images} {class} {split}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_more_group_moves_few_images() {
        for seed in 0..10 {
            let before = assign_splits(grouped(800), seed, Fractions::default());
            let after = assign_splits(grouped(806), seed, Fractions::default());
            let moved = super::super::Changes::between(&before, &after).resplit;
            assert!(moved <= 40, "{moved} of 800 images moved with seed {seed}");
        }
    }

    #[test]
    fn groups_that_share_an_image_are_one_group() {
        let mut files = class("a", 60);
        files.iter_mut().enumerate().for_each(|(i, file)| file.group = Some(format!("g{}", i / 3)));
        let mut copy = file("a/copy", "a0");
        copy.group = Some("g9".into());
        files.push(copy);
        let samples = assign_splits(files, 0, Fractions::default());
        let splits = splits_of_groups(&samples);
        assert!(splits["g0"] == splits["g9"] && splits["g0"].len() == 1);
    }

    #[test]
    fn fractions_must_add_up() {
        assert_eq!("70/5/25".parse::<Fractions>().unwrap(), Fractions::default());
        for bad in ["70/5", "70/5/26", "0/50/50", "a/b/c", "70/5/25/0", "-70/85/85", "4294967295/1/100"] {
            assert!(bad.parse::<Fractions>().is_err(), "{bad}");
        }
    }
}
