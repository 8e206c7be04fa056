//! The data set as a list of labelled files and its split into train, validation and test. Pure: finding and reading
//! files is `extract`'s work.

mod resplit;

pub use resplit::Resplit;

use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

/// Which part of the data an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Fitted on.
    Train,
    /// Decides when to stop.
    Validation,
    /// Measured on, once.
    Test,
}

/// Percentages of train, validation and test, written `70/5/25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fractions {
    /// Percent of each class for training; takes what rounding leaves.
    pub train: u32,
    /// Percent for validation, rounded down.
    pub validation: u32,
    /// Percent for the test, rounded down.
    pub test: u32,
}

/// One image file that was read: what it is, before it has a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Relative to the folder of images, `/` between parts.
    pub path: String,
    /// The class, from the folder's name.
    pub label: String,
    /// Of the file's bytes.
    pub image_sha256: Digest,
    /// Columns, as stored.
    pub width: u32,
    /// Rows, as stored.
    pub height: u32,
    /// Length of the file.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// One row of `samples.parquet`: an image file and its split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub file: ImageFile,
    /// Its part of the data; the same for all files of the same bytes.
    pub split: Split,
}

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refused {
    /// Relative to the folder of images, `/` between parts.
    pub path: String,
    /// Of the file's bytes; `None` when they could not be read.
    #[serde(skip)]
    pub image_sha256: Option<Digest>,
    /// In one line.
    pub reason: String,
}

/// The labels of class `folders`. When every folder starts with a count of three digits or more and a space, that count
/// is not part of the label.
pub fn labels(folders: &[String]) -> Vec<String> {
    let without_count = |name: &str| {
        let (count, label) = name.split_once(' ')?;
        let counted = count.len() >= 3 && count.bytes().all(|b| b.is_ascii_digit());
        (counted && !label.is_empty()).then(|| label.to_string())
    };
    match folders.iter().map(|name| without_count(name)).collect() {
        Some(labels) => labels,
        None => folders.to_vec(),
    }
}

/// Sets aside the files whose bytes stand under two labels, all copies of them: no one can say which label is right.
/// What is kept and what is not, each in the order of `files`, and why it is not.
pub fn refuse_conflicts(files: Vec<ImageFile>) -> ([Vec<ImageFile>; 2], Vec<Refused>) {
    let mut order: Vec<&ImageFile> = files.iter().collect();
    order.sort_by_key(|file| file.image_sha256);
    let mut refused = Vec::new();
    let of_two_labels = |copies: &&[&ImageFile]| copies.iter().any(|file| file.label != copies[0].label);
    for copies in order.chunk_by(|a, b| a.image_sha256 == b.image_sha256).filter(of_two_labels) {
        for file in copies {
            if let Some(other) = copies.iter().find(|other| other.label != file.label) {
                refused.push(Refused {
                    path: file.path.clone(),
                    image_sha256: Some(file.image_sha256),
                    reason: format!("same bytes as {}, under another label", other.path),
                });
            }
        }
    }
    refused.sort();
    let is_refused = |file: &ImageFile| refused.binary_search_by(|r| r.path.as_str().cmp(&file.path)).is_ok();
    let (conflicting, kept) = files.into_iter().partition(is_refused);
    ([kept, conflicting], refused)
}

/// Gives each file its split: in each class, the n distinct images are ordered by the SHA-256 of the text
/// `{seed}:{image_sha256}`; the first floor(test n / 100) are test, the next floor(validation n / 100) validation, the
/// rest train. So an image that comes or goes moves few others. The result is sorted by path.
pub fn assign_splits(mut files: Vec<ImageFile>, seed: u64, fractions: Fractions) -> Vec<Sample> {
    let mut splits: HashMap<Digest, Split> = HashMap::with_capacity(files.len());
    for images in ranked(&files, seed).values() {
        let share = |percent: u32| images.len() * percent as usize / 100;
        let (test, validation) = (share(fractions.test), share(fractions.validation));
        for (i, (_, hash)) in images.iter().enumerate() {
            let split = match i {
                i if i < test => Split::Test,
                i if i < test + validation => Split::Validation,
                _ => Split::Train,
            };
            splits.insert(*hash, split);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.into_iter().map(|file| Sample { split: splits[&file.image_sha256], file }).collect()
}

/// The distinct images of each class, in the order of the SHA-256 of the text `{seed}:{image_sha256}`, which comes first.
fn ranked(files: &[ImageFile], seed: u64) -> BTreeMap<&str, Vec<(Digest, Digest)>> {
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

/// The class names of `samples`, in the order that numbers them: bytewise.
pub fn class_names<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Vec<String> {
    let names: BTreeSet<&str> = samples.into_iter().map(|sample| sample.file.label.as_str()).collect();
    names.into_iter().map(str::to_string).collect()
}

/// Files in train, validation and test, by the split's name.
pub fn split_counts(samples: &[Sample]) -> BTreeMap<&'static str, usize> {
    let count = |split| samples.iter().filter(|sample| sample.split == split).count();
    Split::ALL.map(|split| (split.name(), count(split))).into()
}

/// How many names there are, and the first few of them: `7 (a, b, c, d, e, ...)`.
pub fn number_and_names(names: &[&str]) -> String {
    let more = if names.len() > 5 { ", ..." } else { "" };
    format!("{} ({}{more})", names.len(), names[..names.len().min(5)].join(", "))
}

/// How a data set differs from an earlier description of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files whose path is new and whose bytes are too.
    pub added: usize,
    /// Files that are gone, and their bytes with them.
    pub removed: usize,
    /// Files of known bytes under a path that is new.
    pub moved: usize,
    /// Files whose bytes changed under the same path.
    pub edited: usize,
    /// Images whose split changed.
    pub resplit: usize,
}

/// Compares two descriptions of a data set.
pub fn changes(before: &[Sample], after: &[Sample]) -> Changes {
    let (old_paths, new_paths) = (by_path(before), by_path(after));
    let by_digest = |samples: &[Sample]| -> HashMap<Digest, Split> {
        samples.iter().map(|s| (s.file.image_sha256, s.split)).collect()
    };
    let (old_images, new_images) = (by_digest(before), by_digest(after));
    let mut changes = Changes::default();
    for (path, digest) in &new_paths {
        match old_paths.get(path) {
            Some(old) if old == digest => {}
            Some(_) => changes.edited += 1,
            None if old_images.contains_key(digest) => changes.moved += 1,
            None => changes.added += 1,
        }
    }
    let gone = |(path, digest): &(&&str, &Digest)| {
        !new_paths.contains_key(**path) && !new_images.contains_key(*digest)
    };
    changes.removed = old_paths.iter().filter(gone).count();
    let moved = |(digest, split): &(&Digest, &Split)| new_images.get(*digest).is_some_and(|s| s != *split);
    changes.resplit = old_images.iter().filter(moved).count();
    changes
}

fn by_path(samples: &[Sample]) -> HashMap<&str, Digest> {
    samples.iter().map(|sample| (sample.file.path.as_str(), sample.file.image_sha256)).collect()
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.added, "added"),
            (self.removed, "removed"),
            (self.moved, "moved"),
            (self.edited, "edited"),
            (self.resplit, "in another split"),
        ];
        let said: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if said.is_empty() { f.write_str("nothing changed") } else { f.write_str(&said.join(", ")) }
    }
}

impl Split {
    /// All three, in the usual order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name that stands in the files.
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
        Self::ALL.into_iter().find(|split| split.name() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not a split")).help("use train, validation or test")
        })
    }
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
    use super::*;

    pub(super) fn file(path: &str, hash: &str) -> ImageFile {
        let label = path.split('/').next().unwrap().to_string();
        ImageFile {
            path: path.into(),
            label,
            image_sha256: sha256(hash.as_bytes()),
            width: 1,
            height: 1,
            bytes: 1,
            mtime_ns: 0,
        }
    }

    pub(super) fn class(name: &str, n: usize) -> Vec<ImageFile> {
        (0..n).map(|i| file(&format!("{name}/{i:04}"), &format!("{name}{i}"))).collect()
    }

    fn count(samples: &[Sample], split: Split) -> usize {
        samples.iter().filter(|s| s.split == split).count()
    }

    #[test]
    fn counts_are_dropped_only_when_every_folder_has_one() {
        let names = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        assert_eq!(labels(&names(&["530 George W Bush", "077 Ariel"])), ["George W Bush", "Ariel"]);
        assert_eq!(labels(&names(&["1530 Bush", "077 Ariel"])), ["Bush", "Ariel"]);
        assert_eq!(labels(&names(&["530 Bush", "Ariel"])), ["530 Bush", "Ariel"]);
        assert_eq!(labels(&names(&["53 Bush", "77 Ariel"])), ["53 Bush", "77 Ariel"]);
        assert_eq!(labels(&names(&["éé a", "077 "])), ["éé a", "077 "]);
    }

    #[test]
    fn the_split_of_the_article_is_floor_per_class() {
        // The ten classes of the 2017 article: 1,456 images, published as 1027 / 68 / 361.
        let sizes = [77, 236, 121, 530, 109, 71, 55, 53, 60, 144];
        let files = sizes.iter().enumerate().flat_map(|(i, &n)| class(&format!("c{i}"), n)).collect();
        let samples = assign_splits(files, 0, Fractions::default());
        let counts = Split::ALL.map(|split| count(&samples, split));
        assert_eq!(counts, [1027, 68, 361]);
    }

    #[test]
    fn another_seed_moves_images_and_one_more_image_moves_few() {
        let before = assign_splits(class("a", 200), 0, Fractions::default());
        let other = assign_splits(class("a", 200), 1, Fractions::default());
        assert!(changes(&before, &other).resplit > 50);
        let grown = assign_splits(class("a", 201), 0, Fractions::default());
        assert!(changes(&before, &grown).resplit <= 2);
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
    fn the_same_bytes_under_two_labels_are_refused_everywhere() {
        let files = vec![file("a/1", "x"), file("a/2", "x"), file("b/1", "x"), file("b/2", "y")];
        let ([kept, _], refused) = refuse_conflicts(files);
        assert_eq!(kept.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["b/2"]);
        assert_eq!(refused.len(), 3);
        assert!(refused[0].reason.contains("same bytes as b/1"), "{}", refused[0].reason);
    }

    #[test]
    fn fractions_must_add_up() {
        assert_eq!("70/5/25".parse::<Fractions>().unwrap(), Fractions::default());
        for bad in ["70/5", "70/5/26", "0/50/50", "a/b/c", "70/5/25/0", "-70/85/85", "4294967295/1/100"] {
            assert!(bad.parse::<Fractions>().is_err(), "{bad}");
        }
    }
}
