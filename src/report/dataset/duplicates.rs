//! Duplicates: files with the same bytes.

use crate::data::ImageFolder;
use crate::data::dataset::ImageFile;
use crate::io::digest::Digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Files with the same bytes: one image, more than once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DuplicateGroup {
    /// Digest of the bytes.
    pub image_sha256: Digest,
    /// Labels of the files, without repetition. With two or more it is unknown which is right, and `extract` refuses all
    /// files of the group.
    pub labels: Vec<String>,
    /// Paths of the files, sorted.
    pub paths: Vec<String>,
}

/// Finds all duplicates: groups with several labels first, then in order of the first path.
pub(super) fn find(images: &ImageFolder) -> Vec<DuplicateGroup> {
    let mut groups: BTreeMap<Digest, Vec<&ImageFile>> = BTreeMap::new();
    for file in images.files.iter().chain(&images.conflicting) {
        groups.entry(file.image_sha256).or_default().push(file);
    }
    let group = |(digest, files): (Digest, Vec<&ImageFile>)| {
        let labels: BTreeSet<String> = files.iter().map(|file| file.label.clone()).collect();
        let paths: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
        DuplicateGroup {
            image_sha256: digest,
            labels: labels.into_iter().collect(),
            paths: paths.into_iter().collect(),
        }
    };
    let mut all: Vec<DuplicateGroup> =
        groups.into_iter().filter(|(_, files)| files.len() > 1).map(group).collect();
    all.sort_by(|a, b| (a.labels.len() < 2, &a.paths).cmp(&(b.labels.len() < 2, &b.paths)));
    all
}
