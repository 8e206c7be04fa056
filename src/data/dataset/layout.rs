//! What the folders below a folder of images stand for: classes, or splits that were made as folders.

use super::Split;
use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;

/// What the folders below a folder of images stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FolderLayout {
    /// `IMAGES/<class>/<file>`, at any depth.
    #[default]
    Classes,
    /// `IMAGES/<split>/<class>/<file>`, such as `train/cat/1.jpg`.
    SplitThenClass,
    /// `IMAGES/<class>/<split>/<file>`, such as `cat/train/1.jpg`.
    ClassThenSplit,
    /// A table with a row for each image.
    Manifest,
}

/// How folders that are called as splits are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutChoice {
    /// As the splits of the images in them; folders that are not called so are an error.
    SplitFolders,
    /// As classes like any others.
    AsClasses,
}

/// The folder of images that have no label yet, among the class folders.
pub const UNLABELLED: &str = "_unlabelled";

/// Usual names of folders that are splits, without separators and a final `set`, `data` or `images`.
const NAMES: [(&str, Split); 14] = [
    ("train", Split::Train),
    ("training", Split::Train),
    ("val", Split::Validation),
    ("valid", Split::Validation),
    ("validate", Split::Validation),
    ("validation", Split::Validation),
    ("dev", Split::Validation),
    ("development", Split::Validation),
    ("eval", Split::Validation),
    ("evaluation", Split::Validation),
    ("test", Split::Test),
    ("testing", Split::Test),
    ("holdout", Split::Test),
    // Images to be classified, in the test part of some data sets.
    ("pred", Split::Test),
];

/// Words beside that of a split in names such as `train2017`, `01_train`, `seg_train` or `images_train`.
const BESIDE: [&str; 8] = ["set", "data", "dataset", "images", "image", "imgs", "img", "seg"];

impl FolderLayout {
    /// Whether splits are folders.
    pub fn has_splits(self) -> bool {
        matches!(self, Self::SplitThenClass | Self::ClassThenSplit)
    }

    /// Returns the choice that gives this layout again; `None` for classes, which need none.
    pub fn choice(self) -> Option<LayoutChoice> {
        self.has_splits().then_some(LayoutChoice::SplitFolders)
    }

    /// Returns the folder of `path` whose name is that of the class, relative to the folder of images.
    pub fn class_folder(self, path: &str) -> &str {
        let components = if self == Self::SplitThenClass { 2 } else { 1 };
        path.match_indices('/').nth(components - 1).map_or(path, |(end, _)| &path[..end])
    }

    /// Returns the split that the folders of `path` name; `None` where splits are not folders.
    pub fn split(self, path: &str) -> Option<Split> {
        let folder = match self {
            Self::Classes | Self::Manifest => None,
            Self::SplitThenClass => path.split('/').next(),
            Self::ClassThenSplit => path.split('/').nth(1),
        };
        folder.and_then(Self::split_called)
    }

    /// Returns `path` without the folder of the class. Splits stay, so that files of one name in two splits stay apart.
    /// The rows of a manifest keep their folders, without those that lead up.
    pub fn below_class(self, path: &str) -> String {
        if self == Self::Manifest {
            let names: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | "..")).collect();
            return names.join("/");
        }
        let folder = self.class_folder(path);
        let below = path[folder.len()..].trim_start_matches('/');
        match folder.rsplit_once('/') {
            Some((split, _)) => format!("{split}/{below}"),
            None if below.is_empty() => path.to_string(),
            None => below.to_string(),
        }
    }

    /// Returns the split that folders of this name usually hold.
    pub fn split_called(name: &str) -> Option<Split> {
        let plain: String =
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let suffix = ["set", "data", "images"].iter().find_map(|suffix| plain.strip_suffix(suffix));
        let is_called = |name: &str| NAMES.iter().find(|(usual, _)| *usual == name).map(|(_, split)| *split);
        is_called(&plain).or_else(|| suffix.and_then(is_called)).or_else(|| {
            // Numbers and words that say nothing about the split, joined to it.
            let words: Vec<String> = name
                .split(['_', '-'])
                .map(|w| w.trim_matches(|c: char| c.is_ascii_digit()).to_lowercase())
                .collect();
            let mut words = words.iter().filter(|w| !w.is_empty() && !BESIDE.contains(&w.as_str()));
            let word = words.next().filter(|_| words.next().is_none())?;
            is_called(word)
        })
    }
}

impl fmt::Display for FolderLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // This text is stored in caches.
        f.pad(match self {
            Self::Classes => "class",
            Self::SplitThenClass => "split/class",
            Self::ClassThenSplit => "class/split",
            Self::Manifest => "manifest",
        })
    }
}

impl FromStr for FolderLayout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Classes, Self::SplitThenClass, Self::ClassThenSplit, Self::Manifest];
        all.into_iter()
            .find(|layout| layout.to_string() == text)
            .ok_or_else(|| Error::new(Kind::Usage, format!("{text:?} is not a layout of folders")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_by_the_layout() {
        let parts = |layout: FolderLayout, path| {
            (layout.class_folder(path).to_string(), layout.split(path), layout.below_class(path))
        };
        let path = "train/cat/a/1.jpg";
        assert_eq!(parts(FolderLayout::Classes, path), ("train".into(), None, "cat/a/1.jpg".into()));
        let split = Some(Split::Train);
        assert_eq!(
            parts(FolderLayout::SplitThenClass, path),
            ("train/cat".into(), split, "train/a/1.jpg".into())
        );
        assert_eq!(
            parts(FolderLayout::ClassThenSplit, "cat/train/1.jpg"),
            ("cat".into(), split, "train/1.jpg".into())
        );
        for layout in [FolderLayout::Classes, FolderLayout::SplitThenClass, FolderLayout::ClassThenSplit] {
            assert_eq!(layout.to_string().parse::<FolderLayout>().unwrap(), layout);
        }
    }

    #[test]
    fn usual_spellings_of_splits_are_known_and_classes_are_not_taken_for_them() {
        for (name, split) in [
            ("train", Split::Train),
            ("Training", Split::Train),
            ("training_set", Split::Train),
            ("TrainSet", Split::Train),
            ("val", Split::Validation),
            ("VALID", Split::Validation),
            ("validation-set", Split::Validation),
            ("dev", Split::Validation),
            ("test", Split::Test),
            ("test_data", Split::Test),
            ("eval", Split::Validation),
            ("evaluation", Split::Validation),
            ("holdout", Split::Test),
            ("hold_out", Split::Test),
            ("train2017", Split::Train),
            ("val2017", Split::Validation),
            ("01_train", Split::Train),
            ("03_test", Split::Test),
            ("seg_train", Split::Train),
            ("seg_pred", Split::Test),
            ("images_train", Split::Train),
        ] {
            assert_eq!(FolderLayout::split_called(name), Some(split), "{name}");
        }
        for name in [
            "trains",
            "tested",
            "cat",
            "set",
            "valley",
            "",
            "devil",
            "train 2",
            "bullet_train",
            "crash-test",
            "2017",
            "images",
        ] {
            assert_eq!(FolderLayout::split_called(name), None, "{name}");
        }
    }
}
