//! Which feature rows are wanted, and which of them are missing.

use crate::augment::{Augmentation, Variant};
use crate::dataset::{Sample, Split};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::store::Key;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::str::FromStr;

/// Which images get variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AugmentSplits {
    /// Those of the train split.
    #[default]
    Train,
    /// All.
    All,
}

impl FromStr for AugmentSplits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "train" => Ok(Self::Train),
            "all" => Ok(Self::All),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not train or all"))),
        }
    }
}

/// One image to open, and the variants of it to embed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    /// Relative to the folder of images.
    pub path: String,
    /// Of the bytes that are expected there.
    pub image_sha256: Digest,
    /// In order.
    pub variants: Vec<Variant>,
}

/// Every distinct image that lacks a wanted variant, in the order of keys; copies are represented by the first path.
pub(super) fn missing(
    samples: &[Sample],
    augment: &[Augmentation],
    splits: AugmentSplits,
    keys: &HashSet<Key>,
) -> Vec<Work> {
    let plain = BTreeSet::from([Variant::None]);
    let all: BTreeSet<Variant> =
        augment.iter().flat_map(Augmentation::variants).chain(plain.clone()).collect();
    let mut images: Vec<&Sample> = samples.iter().collect();
    images.sort_by(|a, b| (a.file.image_sha256, &a.file.path).cmp(&(b.file.image_sha256, &b.file.path)));
    images.dedup_by_key(|sample| sample.file.image_sha256);
    let work = images.into_iter().filter_map(|Sample { file, split }| {
        let image_sha256 = file.image_sha256;
        let is_augmented = *split == Split::Train || splits == AugmentSplits::All;
        let wanted = if is_augmented { &all } else { &plain };
        let lacks = |variant: &Variant| !keys.contains(&Key { image_sha256, variant: *variant });
        let variants: Vec<Variant> = wanted.iter().copied().filter(lacks).collect();
        (!variants.is_empty()).then(|| Work { path: file.path.clone(), image_sha256, variants })
    });
    work.collect()
}

/// Feature rows of one variant that are missing, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The variant.
    pub variant: String,
    /// Rows that are missing.
    pub rows: usize,
    /// Of them, rows of images that have no features at all: new, edited, or lost with a damaged part. The others lack
    /// only this variant.
    pub of_new_images: usize,
}

/// Counts `work` by variant.
pub(super) fn by_variant(work: &[Work], keys: &HashSet<Key>) -> Vec<Missing> {
    let known: HashSet<Digest> = keys.iter().map(|key| key.image_sha256).collect();
    let mut counts: BTreeMap<Variant, (usize, usize)> = BTreeMap::new();
    for work in work {
        let is_new = !known.contains(&work.image_sha256);
        for variant in &work.variants {
            let (rows, new) = counts.entry(*variant).or_default();
            *rows += 1;
            *new += usize::from(is_new);
        }
    }
    let count = |(variant, (rows, of_new_images)): (Variant, _)| Missing {
        variant: variant.to_string(),
        rows,
        of_new_images,
    };
    counts.into_iter().map(count).collect()
}

/// How many distinct train images will lack, after `work` is done, a variant that another train image has.
pub(super) fn train_images_without_variants(samples: &[Sample], keys: &HashSet<Key>, work: &[Work]) -> usize {
    let train = samples.iter().filter(|sample| sample.split == Split::Train);
    let mut held: HashMap<Digest, BTreeSet<Variant>> =
        train.map(|sample| (sample.file.image_sha256, BTreeSet::new())).collect();
    let there = keys.iter().map(|key| (key.image_sha256, key.variant));
    let coming = work.iter().flat_map(|work| work.variants.iter().map(|v| (work.image_sha256, *v)));
    for (digest, variant) in there.chain(coming) {
        if let Some(variants) = held.get_mut(&digest) {
            variants.insert(variant);
        }
    }
    let all: HashSet<Variant> = held.values().flatten().copied().collect();
    held.values().filter(|variants| variants.len() < all.len()).count()
}
