//! Determines which feature rows are missing from a cache.

use super::config::{AugmentSplits, ExtractConfig};
use crate::cache::{Key, Samples};
use crate::data::augment::{Augmentation, Variant};
use crate::data::dataset::{ImageFile, Sample, Split};
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// An image to open, and the variants of it to embed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageJob {
    /// Path relative to the folder of images.
    pub path: String,
    /// SHA-256 of the bytes expected there.
    pub image_sha256: Digest,
    /// The missing variants, in order.
    pub variants: Vec<Variant>,
}

impl ImageJob {
    /// The missing rows.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.variants.iter().map(|&variant| Key { image_sha256: self.image_sha256, variant })
    }
}

/// Joins the jobs of several layers: each image is opened once, for all variants that some layer lacks.
pub(super) fn joined_jobs<'a>(jobs: impl Iterator<Item = &'a ImageJob>) -> Vec<ImageJob> {
    let mut images: BTreeMap<Digest, (&str, BTreeSet<Variant>)> = BTreeMap::new();
    for job in jobs {
        images
            .entry(job.image_sha256)
            .or_insert_with(|| (&job.path, BTreeSet::new()))
            .1
            .extend(&job.variants);
    }
    let job = |(image_sha256, (path, variants)): (Digest, (&str, BTreeSet<Variant>))| ImageJob {
        path: path.into(),
        image_sha256,
        variants: variants.into_iter().collect(),
    };
    images.into_iter().map(job).collect()
}

/// Number of feature rows of one variant that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MissingRows {
    /// The variant.
    pub variant: String,
    /// Number of missing rows.
    pub rows: usize,
    /// How many of them belong to images without any features: new or edited images, or those whose features were lost
    /// with a damaged part. The other images lack only some variants.
    pub of_new_images: usize,
}

/// Returns a job for each distinct image that lacks a wanted variant, in the order of keys. Of files with the same bytes
/// the first by path is read. Images without a label are wanted as they are.
pub(super) fn missing_jobs(
    samples: &Samples,
    augment: &[Augmentation],
    splits: AugmentSplits,
    keys: &HashSet<Key>,
) -> Vec<ImageJob> {
    let plain = BTreeSet::from([Variant::None]);
    let all: BTreeSet<Variant> =
        augment.iter().flat_map(Augmentation::variants).chain(plain.clone()).collect();
    let labelled = samples.rows.iter().map(|Sample { file, split }| {
        let is_augmented = *split == Split::Train || splits == AugmentSplits::All;
        (file, is_augmented)
    });
    let mut images: Vec<(&ImageFile, bool)> =
        labelled.chain(samples.unlabelled.iter().map(|file| (file, false))).collect();
    images.sort_by(|(a, _), (b, _)| (a.image_sha256, &a.path).cmp(&(b.image_sha256, &b.path)));
    images.dedup_by_key(|(file, _)| file.image_sha256);
    let job = |(file, is_augmented): (&ImageFile, bool)| {
        let image_sha256 = file.image_sha256;
        let wanted = if is_augmented { &all } else { &plain };
        let is_missing = |variant: &Variant| !keys.contains(&Key { image_sha256, variant: *variant });
        let variants: Vec<Variant> = wanted.iter().copied().filter(is_missing).collect();
        (!variants.is_empty()).then(|| ImageJob { path: file.path.clone(), image_sha256, variants })
    };
    images.into_iter().filter_map(job).collect()
}

/// Checks that no shift moves the whole of an image out of the part that enters the network: such variants are all the same
/// black picture.
///
/// # Errors
/// [`Kind::Usage`] with the number of images that are too small for the largest shift, and the first of them.
pub(super) fn check_shifts(
    samples: &[Sample],
    config: &ExtractConfig,
    preprocessing: &Preprocessing,
) -> Result<()> {
    let variants = config.augment.iter().flat_map(Augmentation::variants);
    let largest = variants.map(|variant| variant.shifted_pixels()).max().unwrap_or(0);
    if largest == 0 {
        return Ok(());
    }
    let is_augmented =
        |sample: &&Sample| sample.split == Split::Train || config.augment_splits == AugmentSplits::All;
    let side = |sample: &Sample| sample.file.width.min(sample.file.height) as usize;
    let is_blank =
        |sample: &Sample, shift: u32| preprocessing.is_blank_after_shift(side(sample), shift as usize);
    let shifted: Vec<&Sample> = samples.iter().filter(is_augmented).collect();
    let blank: Vec<&Sample> = shifted.iter().copied().filter(|sample| is_blank(sample, largest)).collect();
    let (Some(first), Some(smallest)) = (blank.first(), blank.iter().min_by_key(|sample| side(sample)))
    else {
        return Ok(());
    };
    let Sample { file, .. } = first;
    let message = format!(
        "a shift by {largest} pixels leaves nothing of {} of {} images in the part that the network sees, such as {} of \
         {} x {} pixels",
        blank.len(),
        shifted.len(),
        file.path,
        file.width,
        file.height
    );
    let allowed = (1..largest).rev().find(|&shift| !is_blank(smallest, shift));
    let smaller = allowed.map_or(String::new(), |shift| format!("use `augment` shift:{shift} or less, or "));
    Err(Error::new(Kind::Usage, message).help(format!("{smaller}take the smallest images out")))
}

/// Counts the rows of `jobs` by variant.
pub(super) fn count_by_variant(jobs: &[ImageJob], keys: &HashSet<Key>) -> Vec<MissingRows> {
    let embedded: HashSet<Digest> = keys.iter().map(|key| key.image_sha256).collect();
    let mut counts: BTreeMap<Variant, MissingRows> = BTreeMap::new();
    for job in jobs {
        let is_new = !embedded.contains(&job.image_sha256);
        for variant in &job.variants {
            let none = || MissingRows { variant: variant.to_string(), rows: 0, of_new_images: 0 };
            let count = counts.entry(*variant).or_insert_with(none);
            count.rows += 1;
            count.of_new_images += usize::from(is_new);
        }
    }
    counts.into_values().collect()
}

/// Counts the distinct train images that will lack, after `jobs` are done, a variant that another train image has.
pub(super) fn incomplete_train_images(samples: &[Sample], keys: &HashSet<Key>, jobs: &[ImageJob]) -> usize {
    let train = samples.iter().filter(|sample| sample.split == Split::Train);
    let mut variants_of: HashMap<Digest, BTreeSet<Variant>> =
        train.map(|sample| (sample.file.image_sha256, BTreeSet::new())).collect();
    let stored = keys.iter().map(|key| (key.image_sha256, key.variant));
    let planned = jobs.iter().flat_map(|job| job.variants.iter().map(|v| (job.image_sha256, *v)));
    for (image_sha256, variant) in stored.chain(planned) {
        if let Some(variants) = variants_of.get_mut(&image_sha256) {
            variants.insert(variant);
        }
    }
    let all: HashSet<Variant> = variants_of.values().flatten().copied().collect();
    variants_of.values().filter(|variants| variants.len() < all.len()).count()
}
