//! The variants of one image, as they are made and as they enter the network.

use super::cache::OpenCache;
use crate::backbone::registry::registry;
use crate::data::ImageFolder;
use crate::data::augment::{Augmentation, Variant};
use crate::data::dataset::{ImageFile, Split};
use crate::data::pixels::Pixels;
use crate::data::preprocess::Preprocessing;
use crate::data::thumbnail;
use crate::error::Result;
use crate::io::digest::Digest;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// Variants of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantPreview {
    /// Relative to the folder of images.
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Whether the cache has these variants; otherwise they are examples.
    pub cached: bool,
    /// How pixels enter the network: as for the cache, or else as for the first known backbone.
    pub preprocessing: Preprocessing,
    /// The variants, `none` first.
    pub variants: Vec<PreviewedVariant>,
}

/// One variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviewedVariant {
    /// Such as `shift:+30:+0`.
    #[serde(serialize_with = "as_text")]
    pub variant: Variant,
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// Width and height of what enters the network.
    pub input: [usize; 2],
}

/// Serializes a variant as its text.
pub(super) fn as_text<S: Serializer>(
    variant: &Variant,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(variant)
}

/// Variants that are shown at most.
const MOST: usize = 12;

/// Files that are tried at most until one can be read.
const MOST_TRIED: usize = 100;

/// Augmentations that are shown where a cache has none.
pub(super) const EXAMPLES: [&str; 7] =
    ["shift:30", "flip", "rotate:10", "brightness:0.8", "contrast:1.2", "blur:2", "crop:0.8@c"];

fn examples() -> Vec<Variant> {
    let variants = |name: &&str| name.parse().map_or_else(|_| Vec::new(), |one: Augmentation| one.variants());
    std::iter::once(Variant::None).chain(EXAMPLES.iter().flat_map(variants)).collect()
}

/// Describes the variants of the first image of the largest class that can be read; `None` if there is none.
pub(super) fn preview(images: &ImageFolder, cache: Option<&OpenCache>) -> Result<Option<VariantPreview>> {
    let preprocessing = match cache {
        Some(cache) => cache.features.spec().preprocessing.steps.checked()?,
        None => registry().backbones[0].preprocessing,
    };
    let Some((file, image)) = subject(images, cache) else { return Ok(None) };
    let cached = cache.map(cached_variants).transpose()?.filter(|variants| variants.len() > 1);
    let is_cached = cached.is_some();
    let variants = cached.unwrap_or_else(examples);
    let previewed = |variant: Variant| {
        let pixels = variant.apply(&image);
        PreviewedVariant { variant, size: [pixels.width(), pixels.height()], input: [preprocessing.size; 2] }
    };
    Ok(Some(VariantPreview {
        path: file.path.clone(),
        image_sha256: file.image_sha256,
        cached: is_cached,
        preprocessing,
        variants: variants.into_iter().take(MOST).map(previewed).collect(),
    }))
}

/// The first readable image of the largest class that has one. With a cache it is an image of the train split, which is the
/// one that has variants.
fn subject<'a>(images: &'a ImageFolder, cache: Option<&OpenCache>) -> Option<(&'a ImageFile, Pixels)> {
    let train_images = |cache: &OpenCache| -> BTreeSet<Digest> {
        let rows = cache.samples.rows.iter().filter(|row| row.split == Split::Train);
        rows.map(|row| row.file.image_sha256).collect()
    };
    let train = cache.map(train_images);
    let is_fit = |file: &&ImageFile| train.as_ref().is_none_or(|train| train.contains(&file.image_sha256));
    let of_class = |label: &'a String| images.files.iter().filter(move |file| file.label == *label);
    let all = images.stats.classes.iter().map(|class| &class.name).flat_map(of_class).filter(is_fit);
    all.take(MOST_TRIED).find_map(|file| {
        let image = thumbnail::read_verified(&images.root.join(&file.path), file.image_sha256, None).ok()?;
        Some((file, image))
    })
}

/// The variants that the cache has of its images, and `none`.
fn cached_variants(cache: &OpenCache) -> Result<Vec<Variant>> {
    let known: BTreeSet<_> = cache.samples.rows.iter().map(|row| row.file.image_sha256).collect();
    let keys = cache.features.keys()?;
    let of_these = keys.iter().filter(|key| known.contains(&key.image_sha256)).map(|key| key.variant);
    let all: BTreeSet<Variant> = of_these.chain([Variant::None]).collect();
    Ok(all.into_iter().collect())
}
