//! Near-duplicates by their look, without a network: the same picture saved anew, scaled, or slightly changed. Found by a
//! perceptual hash, within a class and across.

mod groups;
mod hash;

pub use groups::{PerceptualDuplicates, PerceptualGroup, PerceptualImage};
pub use hash::PerceptualHash;

use crate::data::dataset::ImageFile;
use crate::data::pixels::Pixels;
use crate::io::digest::Digest;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Hashes of the pictures of a scan, by the digests of their files. Threads add to it.
#[derive(Debug, Default)]
pub struct PerceptualHashes {
    hashes: Mutex<HashMap<Digest, PerceptualHash>>,
}

impl PerceptualHashes {
    /// Adds the hash of a decoded picture.
    pub fn add(&self, image_sha256: Digest, image: &Pixels) {
        let hash = PerceptualHash::of(image);
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).insert(image_sha256, hash);
    }

    /// Finds the near-duplicates among `files`. Files with the same bytes are one picture; those without a hash are left out.
    pub fn find(&self, files: &[&ImageFile]) -> PerceptualDuplicates {
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pictures: Vec<(&ImageFile, PerceptualHash)> =
            files.iter().filter_map(|file| Some((*file, *hashes.get(&file.image_sha256)?))).collect();
        pictures.sort_by(|a, b| (a.0.image_sha256, &a.0.path).cmp(&(b.0.image_sha256, &b.0.path)));
        pictures.dedup_by_key(|(file, _)| file.image_sha256);
        pictures.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        groups::find(&pictures)
    }
}
