//! Splits that somebody fixed, as folders or in a manifest: each image has the split that it was given.

use super::split::assign_rest;
use super::units::units;
use super::{Fractions, ImageFile, Sample, Split};
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
    pub divided_groups: Vec<DividedGroup>,
    /// Number of distinct images without a split of their own that have that of their group.
    pub following: usize,
    /// The fractions that were used.
    pub fractions: Fractions,
}

/// A group whose images were given several splits, with the first file of each of two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DividedGroup {
    /// Name of the group.
    pub name: String,
    /// Paths of the two files, with their splits.
    pub files: [(String, Split); 2],
}

/// How fractions divide images beside splits that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedFractions {
    /// The fractions.
    pub fractions: Fractions,
    /// Whether a person gave them. Others give way where they cannot be used.
    pub is_given: bool,
}

/// Where every split is fixed, all train images stay in the train split.
const ALL_TRAIN: Fractions = Fractions { train: 100, validation: 0, test: 0 };

/// Gives each file its fixed split, and a file without one that of its group, if that has one.
///
/// An image whose bytes were given several splits is held out: it has the last of them in the order train, validation, test,
/// so nothing that is evaluated is trained on. The fractions divide the images without a split by the rule of
/// [`assign_splits`](super::assign_splits), and those that follow their group count in them. Where all images have a split of
/// their own, the fractions divide the train images among the splits that have no image.
///
/// # Errors
/// [`Kind::Usage`] when fractions that were given would take train images for a split that has images.
pub fn split_as_fixed(files: Vec<ImageFile>, seed: u64, wanted: FixedFractions) -> Result<FixedSplits> {
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    let mut in_several = HashSet::new();
    for (file, split) in files.iter().filter_map(|file| Some((file, file.fixed_split?))) {
        let known = splits.entry(file.image_sha256).or_insert(split);
        if *known != split {
            in_several.insert(file.image_sha256);
        }
        *known = split.max(*known);
    }
    let mut fractions = wanted.fractions;
    let mut of_groups = HashMap::new();
    let divided_groups = follow_groups(&files, &splits, &mut of_groups);
    if files.iter().all(|file| splits.contains_key(&file.image_sha256)) {
        match check_fractions(&splits, fractions) {
            Err(e) if wanted.is_given => return Err(e),
            Err(_) => fractions = ALL_TRAIN,
            Ok(()) => {}
        }
        splits.retain(|_, split| *split != Split::Train);
    }
    let (rest, fixed): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| !splits.contains_key(&file.image_sha256));
    let mut samples = assign_rest(rest, seed, fractions, &of_groups);
    samples.extend(fixed.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }));
    samples.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    let (in_several, following) = (in_several.len(), of_groups.len());
    Ok(FixedSplits { samples, in_several, divided_groups, following, fractions })
}

/// Adds to `of_groups` the images without a split whose group has one, with the last split of the group. Returns the groups that
/// were given several.
fn follow_groups(
    files: &[ImageFile],
    splits: &HashMap<Digest, Split>,
    of_groups: &mut HashMap<Digest, Split>,
) -> Vec<DividedGroup> {
    let (all, mut divided) = (units(files, 0), Vec::new());
    for unit in all.units.iter().filter(|unit| unit.images.len() > 1) {
        let given = || unit.images.iter().filter_map(|image| splits.get(image).copied());
        let (Some(first), Some(last)) = (given().min(), given().max()) else { continue };
        if first != last {
            divided.push((unit.group.unwrap_or_default(), &unit.images, [first, last]));
        }
        let without = unit.images.iter().filter(|image| !splits.contains_key(image));
        of_groups.extend(without.map(|image| (*image, last)));
    }
    divided.sort();
    let describe = |(name, images, two): (&str, &Vec<Digest>, [Split; 2])| {
        let images: HashSet<&Digest> = images.iter().collect();
        let first = |split: Split| {
            let is_own =
                |file: &&ImageFile| file.fixed_split == Some(split) && images.contains(&file.image_sha256);
            files.iter().filter(is_own).map(|file| file.path.as_str()).min().unwrap_or_default()
        };
        DividedGroup { name: name.into(), files: two.map(|split| (first(split).into(), split)) }
    };
    divided.into_iter().map(describe).collect()
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

    const AS_THEY_ARE: FixedFractions = FixedFractions { fractions: ALL_TRAIN, is_given: false };

    fn given(fractions: &str) -> FixedFractions {
        FixedFractions { fractions: fractions.parse().unwrap(), is_given: true }
    }

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
        let split = |fractions: &str| split_as_fixed(all.clone(), 0, given(fractions));
        assert_eq!(counts(&split("90/10/0").unwrap().samples), [18, 2, 7]);
        let error = split("70/5/25").unwrap_err();
        assert!(error.to_string().contains("there are test images already"), "{error}");
        // Fractions that nobody gave now give way.
        let kept = FixedFractions { is_given: false, ..given("70/5/25") };
        let as_they_are = split_as_fixed(all.clone(), 0, kept).unwrap();
        assert_eq!((counts(&as_they_are.samples), as_they_are.fractions), ([20, 0, 7], ALL_TRAIN));
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
        for (i, group) in [(0, "held out"), (40, "held out"), (1, "kept"), (35, "kept")] {
            all[i].group = Some(group.into());
        }
        let split = split_as_fixed(all.clone(), 0, given("70/10/20")).unwrap();
        let split_of = |file: &ImageFile| {
            split.samples.iter().find(|sample| sample.file.path == file.path).unwrap().split
        };
        assert_eq!((split_of(&all[0]), split_of(&all[1])), (Split::Test, Split::Train));
        assert_eq!((split.following, split.divided_groups.len()), (2, 0));
        // 30 images have no split, of which 6 become test images: one by its group, and 5 by the rule.
        assert_eq!(counts(&split.samples), [10 + 21, 3, 6 + 6]);
    }

    #[test]
    fn where_all_images_follow_their_groups_nothing_is_left_to_divide() {
        let mut all = files(&[("train", 8), ("test", 4)]);
        for (i, file) in all.iter_mut().enumerate() {
            file.group = Some(format!("g{}", i / 2));
            file.fixed_split = file.fixed_split.filter(|_| i % 2 == 0);
        }
        let wanted = FixedFractions { fractions: Fractions::default(), is_given: false };
        let split = split_as_fixed(all.clone(), 0, wanted).unwrap();
        assert_eq!((counts(&split.samples), split.following), ([8, 0, 4], 6));
        assert_eq!(split_as_fixed(all, 3, given("70/5/25")).unwrap().samples, split.samples);
    }

    #[test]
    fn a_group_that_was_given_two_splits_is_named_with_its_files() {
        let mut all = files(&[("train", 6), ("test", 4)]);
        for (i, group) in [(2, "b"), (1, "b"), (7, "b"), (3, "a"), (4, "a")] {
            all[i].group = Some(group.into());
        }
        let split = split_as_fixed(all, 0, AS_THEY_ARE).unwrap();
        let files = [("train/cat/001".to_string(), Split::Train), ("test/cat/001".to_string(), Split::Test)];
        assert_eq!(split.divided_groups, [DividedGroup { name: "b".into(), files }]);
    }

    /// Groups of 1 to 6 images, in some of which one image or two have a split.
    #[test]
    fn no_group_crosses_splits_and_fixed_images_stay() {
        for seed in 0..20u64 {
            let mut all = files(&[("none", 300)]);
            for (i, file) in all.iter_mut().enumerate() {
                let group = (i * i / 7) % 97;
                file.group = (group > 20).then(|| format!("g{group}"));
                let fixed = Split::ALL[group % 3];
                file.fixed_split = (i % 5 == 0 && group % 2 == 0).then_some(fixed);
            }
            let wanted = FixedFractions { fractions: Fractions::default(), is_given: false };
            let split = split_as_fixed(all, seed, wanted).unwrap();
            assert!(split.divided_groups.is_empty());
            let mut of_group: HashMap<&str, Split> = HashMap::new();
            for sample in &split.samples {
                assert!(sample.file.fixed_split.is_none_or(|fixed| fixed == sample.split));
                if let Some(group) = sample.file.group.as_deref() {
                    assert_eq!(
                        *of_group.entry(group).or_insert(sample.split),
                        sample.split,
                        "{seed} {group}"
                    );
                }
            }
            let rest: Vec<Sample> =
                split.samples.iter().filter(|sample| sample.file.fixed_split.is_none()).cloned().collect();
            let [_, validation, test] = counts(&rest).map(|images| images as f64 / rest.len() as f64);
            assert!((test - 0.25).abs() < 0.12 && validation < 0.3, "{seed}: {validation} {test}");
        }
    }
}
