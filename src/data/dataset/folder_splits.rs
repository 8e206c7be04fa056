//! Splits that were made as folders: each image has the split of its folder.

use super::{FolderLayout, Fractions, ImageFile, Sample, Split, assign_splits};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Files with the splits of their folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSplits {
    /// The files, sorted by path.
    pub samples: Vec<Sample>,
    /// Number of distinct images that are in the folders of several splits.
    pub in_several: usize,
}

/// Gives each file the split of its folder.
///
/// An image whose bytes are in the folders of several splits is held out: it has the last of them in the order train,
/// validation, test, so nothing that is evaluated is trained on. `fractions` divide the images of the train folders
/// among the splits that have no folder, by the rule of [`assign_splits`].
///
/// # Errors
/// [`Kind::Usage`] when `fractions` give a share to a split that has a folder.
pub fn split_by_folders(
    files: Vec<ImageFile>,
    layout: FolderLayout,
    seed: u64,
    fractions: Fractions,
) -> Result<FolderSplits> {
    let split_of = |file: &ImageFile| layout.split(&file.path).unwrap_or(Split::Train);
    let with_folders: BTreeSet<Split> = files.iter().map(split_of).collect();
    for (split, percent) in [(Split::Validation, fractions.validation), (Split::Test, fractions.test)] {
        if percent > 0 && with_folders.contains(&split) {
            let message = format!("`split` {fractions} takes {split} images from the train folders");
            return Err(Error::new(
                Kind::Usage,
                format!("{message}, but there is a folder of {split} images"),
            )
            .help(format!("give 0 for {split}, or leave `split` out")));
        }
    }
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    let mut in_several = HashSet::new();
    for file in &files {
        let split = split_of(file);
        let known = splits.entry(file.image_sha256).or_insert(split);
        if *known != split {
            in_several.insert(file.image_sha256);
        }
        *known = split.max(*known);
    }
    let (train, held_out): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| splits[&file.image_sha256] == Split::Train);
    let mut samples = assign_splits(train, seed, fractions);
    samples.extend(held_out.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }));
    samples.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    Ok(FolderSplits { samples, in_several: in_several.len() })
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
    use super::super::tests::file;
    use super::*;

    fn files(folders: &[(&str, usize)]) -> Vec<ImageFile> {
        let file_of = |folder: &str, i: usize| ImageFile {
            label: "cat".into(),
            ..file(&format!("{folder}/cat/{i:03}"), &format!("{folder}{i}"))
        };
        folders.iter().flat_map(|(folder, n)| (0..*n).map(|i| file_of(folder, i))).collect()
    }

    fn counts(samples: &[Sample]) -> [usize; 3] {
        Split::ALL.map(|split| samples.iter().filter(|sample| sample.split == split).count())
    }

    const AS_THEY_ARE: Fractions = Fractions { train: 100, validation: 0, test: 0 };
    const LAYOUT: FolderLayout = FolderLayout::SplitThenClass;

    #[test]
    fn folders_are_taken_as_they_are_whatever_the_seed() {
        let all = files(&[("train", 20), ("valid", 4), ("test", 7)]);
        let split = split_by_folders(all.clone(), LAYOUT, 0, AS_THEY_ARE).unwrap();
        assert_eq!((counts(&split.samples), split.in_several), ([20, 4, 7], 0));
        assert!(split.samples.iter().all(|s| s.file.path.starts_with("test") == (s.split == Split::Test)));
        assert_eq!(split_by_folders(all, LAYOUT, 9, AS_THEY_ARE).unwrap(), split);
        assert_eq!(shares(&split.samples), "66/12/22".parse().unwrap());
    }

    #[test]
    fn a_split_without_a_folder_is_taken_from_the_train_folders_when_asked() {
        let all = files(&[("train", 20), ("test", 7)]);
        let split = |fractions: &str| split_by_folders(all.clone(), LAYOUT, 0, fractions.parse().unwrap());
        assert_eq!(counts(&split("90/10/0").unwrap().samples), [18, 2, 7]);
        let error = split("70/5/25").unwrap_err();
        assert!(error.to_string().contains("there is a folder of test images"), "{error}");
    }

    #[test]
    fn an_image_in_several_splits_is_held_out_everywhere() {
        let mut all = files(&[("train", 5), ("val", 3), ("test", 2)]);
        all[0].image_sha256 = all[8].image_sha256;
        all[1].image_sha256 = all[5].image_sha256;
        let split = split_by_folders(all, LAYOUT, 0, AS_THEY_ARE).unwrap();
        assert_eq!((counts(&split.samples), split.in_several), ([3, 4, 3], 2));
    }
}
