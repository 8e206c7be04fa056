//! Near-duplicates: images of different splits that are nearly the same. A test score on them measures memory in part.

use super::cache::OpenCache;
use crate::cache::near_images::{cosine_distance, cosine_distance_with_norms, norm};
use crate::cache::{Catalog, Key};
use crate::data::augment::Variant;
use crate::data::dataset::{Sample, Split};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::math::matrix::Matrix;
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use serde::{Serialize, Serializer};
use std::collections::HashMap;

/// The nearest pairs of images in different splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearDuplicates {
    /// The nearest first.
    pub pairs: Vec<NearDuplicatePair>,
    /// A distance to compare with; `None` if the cache has no variants.
    pub scale: Option<VariantDistance>,
}

/// Two images of different splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearDuplicatePair {
    /// [`cosine_distance`] of their features.
    pub distance: f64,
    /// The two, train before validation before test.
    pub images: [PairImage; 2],
}

/// One image of a pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairImage {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Class label.
    pub label: String,
    /// Split in the cache.
    pub split: Split,
}

/// How far images are from a variant of themselves. In JSON: `[variant, median]`.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantDistance {
    /// The variant.
    pub variant: Variant,
    /// Median [`cosine_distance`].
    pub median: f64,
}

impl Serialize for VariantDistance {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (self.variant.to_string(), self.median).serialize(serializer)
    }
}

/// Pairs that are reported at most.
const PAIRS: usize = 12;

/// Images that are compared at most: all pairs of more would take minutes.
const MOST_IMAGES: usize = 10_000;

/// Images that have a variant, in order of path, and its features.
struct VariantRows<'a> {
    samples: Vec<&'a Sample>,
    /// `[samples, width]`.
    features: Matrix,
}

/// Finds the nearest pairs of images in different splits.
///
/// # Errors
/// [`Kind::Cache`] when a part is damaged; [`Kind::Input`] for more than [`MOST_IMAGES`] images.
pub(super) fn find(cache: &OpenCache, monitor: &dyn Monitor) -> Result<NearDuplicates> {
    let images = cache.samples.by_digest();
    if images.len() > MOST_IMAGES {
        let message =
            format!("{} images have too many pairs; at most {MOST_IMAGES} are compared", images.len());
        return Err(Error::new(Kind::Input, message));
    }
    let threads = parallel::thread_count(0);
    let catalog = cache.features.catalog(threads)?;
    let plain = VariantRows::read(&catalog, &images, Variant::None, threads)?;
    let pairs = nearest_pairs(&plain, threads, monitor)?;
    Ok(NearDuplicates { pairs, scale: variant_distance(&catalog, &images, &plain, threads)? })
}

/// The [`PAIRS`] nearest pairs, ties in order of path.
fn nearest_pairs(
    plain: &VariantRows,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Vec<NearDuplicatePair>> {
    let VariantRows { samples, features } = plain;
    let task = monitor.task("comparing images of different splits", Some(samples.len() as u64), Unit::Images);
    let numbers: Vec<usize> = (0..samples.len()).collect();
    let norms: Vec<f64> = numbers.iter().map(|&i| norm(features.row(i))).collect();
    let nearest_to = |&i: &usize| {
        let mut found: Vec<(f64, usize, usize)> = Vec::new();
        for j in i + 1..samples.len() {
            if samples[i].split != samples[j].split {
                let norms = norms[i] * norms[j];
                found.push((cosine_distance_with_norms(features.row(i), features.row(j), norms), i, j));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(PAIRS);
        task.advance(1);
        Ok(found)
    };
    let mut all: Vec<_> = in_parallel(threads, &numbers, nearest_to)?.into_iter().flatten().collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let nearest = all.into_iter().take(PAIRS);
    Ok(nearest.map(|(distance, i, j)| pair(distance, samples[i], samples[j])).collect())
}

fn pair(distance: f64, a: &Sample, b: &Sample) -> NearDuplicatePair {
    let (a, b) = if a.split <= b.split { (a, b) } else { (b, a) };
    let image = |sample: &Sample| PairImage {
        path: sample.file.path.clone(),
        image_sha256: sample.file.image_sha256,
        label: sample.file.label.clone(),
        split: sample.split,
    };
    NearDuplicatePair { distance, images: [image(a), image(b)] }
}

impl<'a> VariantRows<'a> {
    fn read(
        catalog: &Catalog,
        images: &HashMap<Digest, &'a Sample>,
        variant: Variant,
        threads: usize,
    ) -> Result<Self> {
        let is_wanted = |key: &Key| key.variant == variant && images.contains_key(&key.image_sha256);
        let found = catalog.read(&catalog.select(is_wanted), threads)?;
        let mut order: Vec<usize> = (0..found.keys.len()).collect();
        let sample = |row: usize| images[&found.keys[row].image_sha256];
        order.sort_by(|&a, &b| sample(a).file.path.cmp(&sample(b).file.path));
        let mut features = Matrix::zeros(order.len(), catalog.width());
        for (to, &from) in order.iter().enumerate() {
            features.row_mut(to).copy_from_slice(found.features.row(from));
        }
        Ok(Self { samples: order.into_iter().map(sample).collect(), features })
    }
}

/// Median distance of images from a variant of themselves: from the mirrored one if the cache has it.
fn variant_distance(
    catalog: &Catalog,
    images: &HashMap<Digest, &Sample>,
    plain: &VariantRows,
    threads: usize,
) -> Result<Option<VariantDistance>> {
    let others = catalog.keys().map(|key| key.variant).filter(|variant| *variant != Variant::None);
    let Some(variant) = others.min() else { return Ok(None) };
    let varied = VariantRows::read(catalog, images, variant, threads)?;
    let rows: HashMap<&str, usize> =
        plain.samples.iter().map(|sample| sample.file.path.as_str()).zip(0..).collect();
    let distance = |(row, sample): (usize, &&Sample)| {
        let plain_row = rows.get(sample.file.path.as_str())?;
        Some(cosine_distance(varied.features.row(row), plain.features.row(*plain_row)))
    };
    let mut all: Vec<f64> = varied.samples.iter().enumerate().filter_map(distance).collect();
    all.sort_by(f64::total_cmp);
    Ok(all.get(all.len() / 2).map(|&median| VariantDistance { variant, median }))
}
