//! Files of the same bytes.

use crate::data::ImageFolder;
use crate::dataset::ImageFile;
use crate::digest::Digest;
use crate::page::{Picture, thumbnail};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Files of the same bytes: one image, more than once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Copies {
    /// Of the bytes.
    pub image_sha256: Digest,
    /// Their classes, each once. With two or more nobody can say which is right, and `extract` refuses them all.
    pub labels: Vec<String>,
    /// Their files, sorted.
    pub paths: Vec<String>,
}

/// All files that have copies: those under two labels first, then by their first path.
pub(super) fn of(looked: &ImageFolder) -> Vec<Copies> {
    let mut groups: BTreeMap<Digest, Vec<&ImageFile>> = BTreeMap::new();
    for file in looked.files.iter().chain(&looked.conflicting) {
        groups.entry(file.image_sha256).or_default().push(file);
    }
    let copies = |(digest, files): (Digest, Vec<&ImageFile>)| {
        let labels: BTreeSet<String> = files.iter().map(|file| file.label.clone()).collect();
        let paths: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
        Copies {
            image_sha256: digest,
            labels: labels.into_iter().collect(),
            paths: paths.into_iter().collect(),
        }
    };
    let mut all: Vec<Copies> = groups.into_iter().filter(|(_, files)| files.len() > 1).map(copies).collect();
    all.sort_by(|a, b| (a.labels.len() < 2, &a.paths).cmp(&(b.labels.len() < 2, &b.paths)));
    all
}

/// Groups that are shown with their picture.
const SHOWN: usize = 24;

/// A picture of each of the first groups.
pub(super) fn pictures(looked: &ImageFolder, all: &[Copies]) -> Vec<Picture> {
    let picture = |copies: &Copies| {
        let path = &copies.paths[0];
        Picture { thumbnail: thumbnail(&looked.root.join(path), copies.image_sha256).ok(), alt: path.clone() }
    };
    all.iter().take(SHOWN).map(picture).collect()
}
