//! One image with its variants, as they are made and as they enter the network.

use super::Cached;
use crate::augment::{Augmentation, Variant};
use crate::data::ImageFolder;
use crate::dataset::{ImageFile, Split};
use crate::digest::Digest;
use crate::error::Result;
use crate::image_io;
use crate::page::{Picture, Thumbnail};
use crate::pixels::Pixels;
use crate::preprocess::Preprocessing;
use crate::registry::registry;
use serde::Serialize;
use std::collections::BTreeSet;

/// Variants of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// Relative to the folder of images.
    pub path: String,
    /// Whether the cache has these variants; else they are what `extract --augment shift:30 --augment flip` would make.
    pub cached: bool,
    /// How pixels enter the network: the cache's own, or that of the first known backbone.
    pub preprocessing: Preprocessing,
    /// The image as it is, first.
    pub variants: Vec<Varied>,
}

/// One variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Varied {
    /// Such as `shift:+30:+0`.
    pub variant: String,
    /// Its width and height.
    pub size: [usize; 2],
    /// Width and height of what enters the network.
    pub input: [usize; 2],
}

/// A variant, and what the network sees of it.
pub(super) struct Pair {
    pub variant: Variant,
    pub before: Picture,
    pub after: Picture,
}

/// Variants that are shown at most.
const MOST: usize = 12;

/// The preview of the first image of the largest class that can be read, with its pictures; `None` without one.
pub(super) fn of(looked: &ImageFolder, cached: Option<&Cached>) -> Result<Option<(Preview, Vec<Pair>)>> {
    let preprocessing = match cached {
        Some(cached) => cached.store.spec().preprocessing.steps.checked()?,
        None => registry().backbones[0].preprocessing,
    };
    let Some((file, image)) = subject(looked, cached) else { return Ok(None) };
    let of_cache = cached.map(variants).transpose()?.filter(|variants| variants.len() > 1);
    let is_cached = of_cache.is_some();
    let variants = of_cache.unwrap_or_else(|| {
        let usual = [Augmentation::Shift(30), Augmentation::Flip];
        std::iter::once(Variant::None).chain(usual.iter().flat_map(Augmentation::variants)).collect()
    });
    let mut pairs = Vec::new();
    let mut varied = Vec::new();
    for variant in variants.into_iter().take(MOST) {
        let (before, name) = (variant.apply(&image), variant.to_string());
        let after = preprocessing.resized(&before);
        varied.push(Varied {
            variant: name.clone(),
            size: [before.width(), before.height()],
            input: [after.width(), after.height()],
        });
        let picture = |pixels, what: &str| Picture {
            thumbnail: Some(Thumbnail::of(pixels)),
            alt: format!("{}, {name}{what}", file.path),
        };
        let (before, after) = (picture(&before, ""), picture(&after, ", as it enters the network"));
        pairs.push(Pair { variant, before, after });
    }
    let preview = Preview { path: file.path.clone(), cached: is_cached, preprocessing, variants: varied };
    Ok(Some((preview, pairs)))
}

/// The first readable image of the largest class that has one; of a cache, one of its train images, which are those that have
/// variants.
fn subject<'a>(looked: &'a ImageFolder, cached: Option<&Cached>) -> Option<(&'a ImageFile, Pixels)> {
    let train = |cached: &Cached| -> BTreeSet<Digest> {
        let rows = cached.samples.rows.iter().filter(|row| row.split == Split::Train);
        rows.map(|row| row.file.image_sha256).collect()
    };
    let train = cached.map(train);
    let is_fit = |file: &&ImageFile| train.as_ref().is_none_or(|train| train.contains(&file.image_sha256));
    let of_class = |label: &'a String| looked.files.iter().filter(move |file| file.label == *label);
    let all = looked.stats.classes.iter().map(|class| &class.name).flat_map(of_class).filter(is_fit);
    all.take(100).find_map(|file| {
        let bytes = image_io::read(&looked.root.join(&file.path)).ok()?;
        Some((file, image_io::decode(&bytes).ok()?))
    })
}

/// The variants of a cache, the image as it is first.
fn variants(cached: &Cached) -> Result<Vec<Variant>> {
    let known: BTreeSet<_> = cached.samples.rows.iter().map(|row| row.file.image_sha256).collect();
    let keys = cached.store.keys()?;
    let of_these = keys.iter().filter(|key| known.contains(&key.image_sha256)).map(|key| key.variant);
    let all: BTreeSet<Variant> = of_these.chain([Variant::None]).collect();
    Ok(all.into_iter().collect())
}
