//! The distinct images of a data set, each with its class index and its split.

use crate::cache::Samples;
use crate::data::dataset::{Resplit, Sample, Split};
use crate::io::digest::Digest;
use std::collections::HashMap;

/// Class index and split of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LabelledImage {
    pub class: u32,
    pub split: Split,
}

/// All distinct images by the digest of their bytes.
#[derive(Debug)]
pub(super) struct SplitImages {
    images: HashMap<Digest, LabelledImage>,
    /// Whether the splits are not those of the cache.
    pub is_resplit: bool,
}

impl SplitImages {
    /// Takes the splits of the cache, or those of `resplit`. `classes` holds the sorted names of all classes.
    pub fn of(samples: &Samples, classes: &[String], resplit: Option<Resplit>) -> Self {
        let assigned = resplit.map(|resplit| resplit.assign(&samples.rows, samples.resplit_fractions()));
        let mut images = HashMap::new();
        for Sample { file, split } in assigned.as_ref().unwrap_or(&samples.rows) {
            let class = classes.binary_search(&file.label).expect("classes come from the samples");
            let image = LabelledImage { class: class as u32, split: *split };
            images.entry(file.image_sha256).or_insert(image);
        }
        Self { images, is_resplit: resplit.is_some() }
    }

    pub fn get(&self, image: &Digest) -> Option<LabelledImage> {
        self.images.get(image).copied()
    }

    /// Whether the image is in a split for which `is_wanted` holds.
    pub fn is_in(&self, image: &Digest, is_wanted: impl Fn(Split) -> bool) -> bool {
        self.get(image).is_some_and(|image| is_wanted(image.split))
    }

    /// Number of images in the splits for which `is_wanted` holds.
    pub fn count(&self, is_wanted: impl Fn(Split) -> bool) -> usize {
        self.images.values().filter(|image| is_wanted(image.split)).count()
    }

    pub fn digests(&self) -> impl ExactSizeIterator<Item = &Digest> {
        self.images.keys()
    }
}
