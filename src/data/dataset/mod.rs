//! The data set as a list of labelled image files, each in one of three splits.

mod changes;
mod conflicts;
mod fixed_splits;
mod label_set;
mod layout;
mod refusal;
mod resplit;
mod split;
mod units;
mod weight;

pub use changes::Changes;
pub use conflicts::{LabelConflicts, separate_conflicts, still_unlabelled};
pub use fixed_splits::{DividedGroup, FixedFractions, FixedSplits, shares, split_as_fixed};
pub use label_set::{NO_LABELS, label_set, label_set_text, refuse_for_label_sets};
pub use layout::{FolderLayout, LayoutChoice, UNLABELLED};
pub use refusal::{Reason, Refused};
pub use resplit::Resplit;
pub use split::{Fractions, assign_splits};
pub use units::group_numbers;
pub use weight::Weight;

use crate::error::{Error, Result, did_you_mean};
use crate::io::digest::Digest;
use crate::io::fs::FileIdentity;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Part of the data set that an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Split {
    /// Images that the head is fitted to.
    Train,
    /// Images that decide when to stop training.
    Validation,
    /// Images that the trained head is evaluated on.
    Test,
}

/// An image file, without a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Path relative to the folder of images, with `/` separators; absolute where a manifest names a file elsewhere.
    pub path: String,
    /// Label of its class, from the name of the class folder or the row of a manifest; empty where it has none yet.
    pub label: String,
    /// Its labels, sorted, in a data set with several labels an image, where `label` is their text; else `None`.
    pub labels: Option<Vec<String>>,
    /// The split that somebody fixed: that of its folder, or of its row in a manifest. `None` where the split rule decides.
    pub fixed_split: Option<Split>,
    /// Name of the group that stays together, such as a patient or a video; `None` for an image on its own.
    pub group: Option<String>,
    /// How much it counts in the loss of a fit.
    pub weight: Weight,
    /// SHA-256 of the file's bytes.
    pub image_sha256: Digest,
    /// Width in pixels as stored, before the EXIF orientation is applied.
    pub width: u32,
    /// Height in pixels as stored, before the EXIF orientation is applied.
    pub height: u32,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970; 0 if unknown.
    pub mtime_ns: i64,
    /// What distinguishes the file from others of the same path, size and modification time.
    pub identity: FileIdentity,
}

impl ImageFile {
    /// Its class; where images have several labels, each of them.
    pub fn labels_or_class(&self) -> &[String] {
        self.labels.as_deref().unwrap_or(std::slice::from_ref(&self.label))
    }
}

/// An image file and its split: one row of `samples.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub file: ImageFile,
    /// Its split. Files with the same bytes have the same split.
    pub split: Split,
}

/// Returns the labels of `samples`, each once, sorted bytewise. The position of a label is its class index.
pub fn class_names<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<String> {
    let names: BTreeSet<&str> = samples.into_iter().map(|sample| sample.file.label.as_str()).collect();
    names.into_iter().map(str::to_string).collect()
}

/// Returns the names of the classes as [`class_names`] does; where images have several labels, those of the labels.
pub fn label_names<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<String> {
    let names: BTreeSet<&String> =
        samples.into_iter().flat_map(|sample| sample.file.labels_or_class()).collect();
    names.into_iter().cloned().collect()
}

/// Counts the files in each split, by the name of the split.
pub fn split_counts(samples: &[Sample]) -> BTreeMap<&'static str, usize> {
    let count = |split| samples.iter().filter(|sample| sample.split == split).count();
    Split::ALL.map(|split| (split.name(), count(split))).into()
}

/// Formats the number of names and the first five of them: `7 (a, b, c, d, e, ...)`.
pub fn number_and_names(names: &[&str]) -> String {
    let more = if names.len() > 5 { ", ..." } else { "" };
    format!("{} ({}{more})", names.len(), names[..names.len().min(5)].join(", "))
}

/// Names the classes for the remedy of one that was mistyped, the nearest first. Of many classes a few are named.
pub fn which_classes(typed: &str, classes: &[String]) -> String {
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    let meant = did_you_mean(typed, names.iter().copied());
    let all = if names.len() > MOST_NAMED { number_and_names(&names) } else { names.join(", ") };
    format!("{meant}the classes are {all}")
}

/// Classes that a message names one by one, at most.
const MOST_NAMED: usize = 20;

impl Split {
    /// All splits: train, validation, test.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Returns the name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Split {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|split| split.name() == text);
        found.ok_or_else(|| Error::not_one_of(text, "a split", &Self::ALL.map(Self::name)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::io::digest::sha256;

    /// A file of the class that its path begins with; equal `content` gives equal digests.
    pub fn file(path: &str, content: &str) -> ImageFile {
        ImageFile {
            path: path.into(),
            label: path.split('/').next().unwrap().into(),
            labels: None,
            fixed_split: None,
            group: None,
            weight: Weight::default(),
            image_sha256: sha256(content.as_bytes()),
            width: 1,
            height: 1,
            bytes: 1,
            mtime_ns: 0,
            identity: FileIdentity::default(),
        }
    }

    /// A class of `n` different files.
    pub fn class(name: &str, n: usize) -> Vec<ImageFile> {
        (0..n).map(|i| file(&format!("{name}/{i:04}"), &format!("{name}{i}"))).collect()
    }

    #[test]
    fn names_are_counted_and_the_first_five_listed() {
        assert_eq!(number_and_names(&["a", "b"]), "2 (a, b)");
        assert_eq!(number_and_names(&["a", "b", "c", "d", "e", "f"]), "6 (a, b, c, d, e, ...)");
    }
}
