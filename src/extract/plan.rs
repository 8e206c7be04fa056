//! Which feature rows are wanted, and which of them are missing.

use crate::augment::{Augmentation, Variant};
use crate::dataset::{Sample, Split};
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
    pub image_sha256: String,
    /// In order.
    pub variants: Vec<Variant>,
}

/// Every distinct image with its wanted variants, by digest; copies are represented by the first path.
pub(super) fn wanted(
    samples: &[Sample],
    augment: &[Augmentation],
    splits: AugmentSplits,
) -> BTreeMap<String, (String, BTreeSet<Variant>)> {
    let added: BTreeSet<Variant> = augment.iter().flat_map(Augmentation::variants).collect();
    let mut wanted = BTreeMap::new();
    for sample in samples {
        let mut variants = BTreeSet::from([Variant::None]);
        if sample.split == Split::Train || splits == AugmentSplits::All {
            variants.extend(&added);
        }
        wanted.entry(sample.file.image_sha256.clone()).or_insert((sample.file.path.clone(), variants));
    }
    wanted
}

/// What of `wanted` has no key yet, in the order of keys.
pub(super) fn missing(
    wanted: BTreeMap<String, (String, BTreeSet<Variant>)>,
    keys: &HashSet<Key>,
) -> Vec<Work> {
    let lacks = |image_sha256: &str, variant: Variant| {
        !keys.contains(&Key { image_sha256: image_sha256.to_string(), variant })
    };
    let work = wanted.into_iter().map(|(image_sha256, (path, variants))| Work {
        variants: variants.into_iter().filter(|variant| lacks(&image_sha256, *variant)).collect(),
        path,
        image_sha256,
    });
    work.filter(|work| !work.variants.is_empty()).collect()
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
    let known: HashSet<&str> = keys.iter().map(|key| key.image_sha256.as_str()).collect();
    let mut counts: BTreeMap<Variant, (usize, usize)> = BTreeMap::new();
    for work in work {
        let is_new = !known.contains(work.image_sha256.as_str());
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
    let train: HashSet<&str> = samples
        .iter()
        .filter(|sample| sample.split == Split::Train)
        .map(|sample| sample.file.image_sha256.as_str())
        .collect();
    let mut held: HashMap<&str, HashSet<Variant>> =
        train.iter().map(|hash| (*hash, HashSet::new())).collect();
    let there = keys.iter().map(|key| (key.image_sha256.as_str(), key.variant));
    let coming = work.iter().flat_map(|work| work.variants.iter().map(|v| (work.image_sha256.as_str(), *v)));
    for (hash, variant) in there.chain(coming) {
        if let Some(variants) = held.get_mut(hash) {
            variants.insert(variant);
        }
    }
    let all: HashSet<Variant> = held.values().flatten().copied().collect();
    held.values().filter(|variants| variants.len() < all.len()).count()
}
