//! Splits that somebody fixed, as folders or in a manifest: each image has the split that it was given.

use super::units::units;
use super::{Fractions, ImageFile, Sample, Split, assign_splits};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use std::collections::{HashMap, HashSet};

/// Files with the splits that they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedSplits {
    /// The files, sorted by path.
    pub samples: Vec<Sample>,
    /// Number of distinct images that were given several splits.
    pub in_several: usize,
    /// Groups whose images were given several splits.
    pub divided_groups: Vec<String>,
}

/// Gives each file its fixed split, and a file without one that of its group, if that has one.
///
/// An image whose bytes were given several splits is held out: it has the last of them in the order train, validation, test,
/// so nothing that is evaluated is trained on. `fractions` divide the images without a split by the rule of
/// [`assign_splits`]; where all images have one, they divide the train images among the splits that have no image.
///
/// # Errors
/// [`Kind::Usage`] when `fractions` would take train images for a split that has images.
pub fn split_as_fixed(files: Vec<ImageFile>, seed: u64, fractions: Fractions) -> Result<FixedSplits> {
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    let mut in_several = HashSet::new();
    for (file, split) in files.iter().filter_map(|file| Some((file, file.fixed_split?))) {
        let known = splits.entry(file.image_sha256).or_insert(split);
        if *known != split {
            in_several.insert(file.image_sha256);
        }
        *known = split.max(*known);
    }
    let divided_groups = follow_groups(&files, &mut splits);
    if files.iter().all(|file| splits.contains_key(&file.image_sha256)) {
        check_fractions(&splits, fractions)?;
        splits.retain(|_, split| *split != Split::Train);
    }
    let (free, fixed): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| !splits.contains_key(&file.image_sha256));
    let mut samples = assign_splits(free, seed, fractions);
    samples.extend(fixed.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }));
    samples.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    Ok(FixedSplits { samples, in_several: in_several.len(), divided_groups })
}

/// Gives the images of a group without a split the last split of the group. Returns the groups that were given several.
fn follow_groups(files: &[ImageFile], splits: &mut HashMap<Digest, Split>) -> Vec<String> {
    let mut divided = Vec::new();
    for unit in units(files, 0).units.iter().filter(|unit| unit.images.len() > 1) {
        let given = || unit.images.iter().filter_map(|image| splits.get(image).copied());
        let (Some(first), Some(last)) = (given().min(), given().max()) else { continue };
        if first != last {
            divided.extend(unit.group.map(String::from));
        }
        for image in &unit.images {
            splits.entry(*image).or_insert(last);
        }
    }
    divided.sort();
    divided
}

/// Checks that `fractions` take train images only for splits that have none.
fn check_fractions(splits: &HashMap<Digest, Split>, fractions: Fractions) -> Result<()> {
    for (split, percent) in [(Split::Validation, fractions.validation), (Split::Test, fractions.test)] {
        if percent > 0 && splits.values().any(|other| *other == split) {
            let message = format!(
                "`split` {fractions} takes {split} images from the train images, but there are {split} images already"
            );
            return Err(
                Error::new(Kind::Usage, message).help(format!("give 0 for {split}, or leave `split` out"))
            );
        }
    }
    Ok(())
}

/// Returns the shares of the splits among the distinct images, rounded down to whole percent for validation and test.
pub fn shares(samples: &[Sample]) -> Fractions {
    let images: HashMap<Digest, Split> =
        samples.iter().map(|sample| (sample.file.image_sha256, sample.split)).collect();
    let percent = |split: Split| {
        let own = images.values().filter(|other| **other == split).count();
        (own * 100 / images.len().max(1)) as u32
    };
    let (validation, test) = (percent(Split::Validation), percent(Split::Test));
    Fractions { train: 100 - validation - test, validation, test }
}

#[cfg(test)]
mod tests {
    use super::super::FolderLayout;
    use super::super::tests::file;
    use super::*;

    fn files(folders: &[(&str, usize)]) -> Vec<ImageFile> {
        let file_of = |folder: &str, i: usize| ImageFile {
            label: "cat".into(),
            fixed_split: FolderLayout::split_called(folder),
            ..file(&format!("{folder}/cat/{i:03}"), &format!("{folder}{i}"))
        };
        folders.iter().flat_map(|(folder, n)| (0..*n).map(|i| file_of(folder, i))).collect()
    }

    fn counts(samples: &[Sample]) -> [usize; 3] {
        Split::ALL.map(|split| samples.iter().filter(|sample| sample.split == split).count())
    }

    const AS_THEY_ARE: Fractions = Fractions { train: 100, validation: 0, test: 0 };

    #[test]
    fn folders_are_taken_as_they_are_whatever_the_seed() {
        let all = files(&[("train", 20), ("valid", 4), ("test", 7)]);
        let split = split_as_fixed(all.clone(), 0, AS_THEY_ARE).unwrap();
        assert_eq!((counts(&split.samples), split.in_several), ([20, 4, 7], 0));
        assert!(split.samples.iter().all(|s| s.file.path.starts_with("test") == (s.split == Split::Test)));
        assert_eq!(split_as_fixed(all, 9, AS_THEY_ARE).unwrap(), split);
        assert_eq!(shares(&split.samples), "66/12/22".parse().unwrap());
    }

    #[test]
    fn a_split_without_a_folder_is_taken_from_the_train_folders_when_asked() {
        let all = files(&[("train", 20), ("test", 7)]);
        let split = |fractions: &str| split_as_fixed(all.clone(), 0, fractions.parse().unwrap());
        assert_eq!(counts(&split("90/10/0").unwrap().samples), [18, 2, 7]);
        let error = split("70/5/25").unwrap_err();
        assert!(error.to_string().contains("there are test images already"), "{error}");
    }

    #[test]
    fn an_image_in_several_splits_is_held_out_everywhere() {
        let mut all = files(&[("train", 5), ("val", 3), ("test", 2)]);
        all[0].image_sha256 = all[8].image_sha256;
        all[1].image_sha256 = all[5].image_sha256;
        let split = split_as_fixed(all, 0, AS_THEY_ARE).unwrap();
        assert_eq!((counts(&split.samples), split.in_several), ([3, 4, 3], 2));
    }

    #[test]
    fn images_without_a_split_are_divided_and_follow_their_group() {
        let mut all = files(&[("train", 40), ("test", 6)]);
        all.iter_mut().take(30).for_each(|file| file.fixed_split = None);
        for (i, group) in
            [(0, "held out"), (40, "held out"), (1, "kept"), (35, "kept"), (36, "both"), (41, "both")]
        {
            all[i].group = Some(group.into());
        }
        let split = split_as_fixed(all.clone(), 0, "70/10/20".parse().unwrap()).unwrap();
        let split_of = |file: &ImageFile| {
            split.samples.iter().find(|sample| sample.file.path == file.path).unwrap().split
        };
        assert_eq!((split_of(&all[0]), split_of(&all[1])), (Split::Test, Split::Train));
        // A split that was given stays, even where it divides a group.
        assert_eq!((split_of(&all[36]), split_of(&all[41])), (Split::Train, Split::Test));
        assert_eq!(split.divided_groups, ["both"]);
        // 28 images are free.
        assert_eq!(counts(&split.samples), [10 + 1 + 21, 2, 6 + 1 + 5]);
    }
}
