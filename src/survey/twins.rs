//! Images of different splits that are nearly the same: what a test measures on them is partly memory.

use super::Cached;
use crate::augment::Variant;
use crate::dataset::{Sample, Split};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use crate::monitor::{Monitor, Unit};
use crate::neighbours::{apart, distance, length};
use crate::store::{Catalog, Key};
use crate::threads::{self, in_parallel};
use serde::Serialize;
use std::collections::HashMap;

/// The nearest pairs of images that are in different splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Twins {
    /// The nearest first, by [`distance`] of their features.
    pub pairs: Vec<Twin>,
    /// For scale: a variant that the cache has, and the median distance of images from theirs.
    pub scale: Option<(String, f64)>,
}

/// Two images of different splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Twin {
    /// [`distance`] of their features.
    pub distance: f64,
    /// The two: train before validation before test.
    pub images: [Side; 2],
}

/// One of two images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Relative to the folder of images; of copies the first.
    pub path: String,
    /// Of its bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Its class.
    pub label: String,
    /// Its part of the data.
    pub split: Split,
}

/// Pairs that are told.
const PAIRS: usize = 12;

/// All pairs of more images would take minutes.
const MOST_IMAGES: usize = 10_000;

/// Finds the nearest pairs across splits.
///
/// # Errors
/// [`Kind::Cache`] when a part is damaged; [`Kind::Input`] for more than [`MOST_IMAGES`] images.
pub(super) fn of(cached: &Cached, monitor: &dyn Monitor) -> Result<Twins> {
    let mut images: HashMap<Digest, &Sample> = HashMap::new();
    for sample in &cached.samples.rows {
        images.entry(sample.file.image_sha256).or_insert(sample);
    }
    if images.len() > MOST_IMAGES {
        let message =
            format!("{} images have too many pairs; up to {MOST_IMAGES} are looked at", images.len());
        return Err(Error::new(Kind::Input, message));
    }
    let threads = threads::number(0);
    let catalog = cached.store.catalog(threads)?;
    let (samples, plain) = rows(&catalog, &images, Variant::None, threads)?;
    let task = monitor.task("comparing images of different splits", Some(samples.len() as u64), Unit::Images);
    let numbers: Vec<usize> = (0..samples.len()).collect();
    let lengths: Vec<f64> = numbers.iter().map(|&i| length(plain.row(i))).collect();
    let nearest_of = |&i: &usize| {
        let mut own: Vec<(f64, usize, usize)> = Vec::new();
        for j in i + 1..samples.len() {
            if samples[i].split != samples[j].split {
                own.push((apart(plain.row(i), plain.row(j), lengths[i] * lengths[j]), i, j));
            }
        }
        own.sort_by(|a, b| a.0.total_cmp(&b.0));
        own.truncate(PAIRS);
        task.advance(1);
        Ok(own)
    };
    let mut all: Vec<_> = in_parallel(threads, &numbers, nearest_of)?.into_iter().flatten().collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let pairs = all.into_iter().take(PAIRS).map(|(distance, i, j)| twin(distance, samples[i], samples[j]));
    let pairs = pairs.collect();
    Ok(Twins { pairs, scale: scale(&catalog, &images, (&samples, &plain), threads)? })
}

fn twin(distance: f64, a: &Sample, b: &Sample) -> Twin {
    let (a, b) = if a.split <= b.split { (a, b) } else { (b, a) };
    let side = |sample: &Sample| Side {
        path: sample.file.path.clone(),
        image_sha256: sample.file.image_sha256,
        label: sample.file.label.clone(),
        split: sample.split,
    };
    Twin { distance, images: [side(a), side(b)] }
}

/// The images that have a variant, by path, each with its row.
fn rows<'a>(
    catalog: &Catalog,
    images: &HashMap<Digest, &'a Sample>,
    variant: Variant,
    threads: usize,
) -> Result<(Vec<&'a Sample>, Matrix)> {
    let is_wanted = |key: &Key| key.variant == variant && images.contains_key(&key.image_sha256);
    let found = catalog.read(&catalog.select(is_wanted), threads)?;
    let mut order: Vec<usize> = (0..found.keys.len()).collect();
    let sample = |row: usize| images[&found.keys[row].image_sha256];
    order.sort_by(|&a, &b| sample(a).file.path.cmp(&sample(b).file.path));
    let mut sorted = Matrix::zeros(order.len(), catalog.width());
    for (to, &from) in order.iter().enumerate() {
        sorted.row_mut(to).copy_from_slice(found.features.row(from));
    }
    Ok((order.into_iter().map(sample).collect(), sorted))
}

/// How far images lie from a variant of themselves, mirrored where the cache has that.
fn scale(
    catalog: &Catalog,
    images: &HashMap<Digest, &Sample>,
    (samples, plain): (&[&Sample], &Matrix),
    threads: usize,
) -> Result<Option<(String, f64)>> {
    let others = catalog.keys().map(|key| key.variant).filter(|variant| *variant != Variant::None);
    let Some(variant) = others.min() else { return Ok(None) };
    let (varied, features) = rows(catalog, images, variant, threads)?;
    let places: HashMap<&str, usize> = samples.iter().map(|s| s.file.path.as_str()).zip(0..).collect();
    let own = |(row, sample): (usize, &&Sample)| {
        let place = places.get(sample.file.path.as_str())?;
        Some(distance(features.row(row), plain.row(*place)))
    };
    let mut all: Vec<f64> = varied.iter().enumerate().filter_map(own).collect();
    all.sort_by(f64::total_cmp);
    Ok(all.get(all.len() / 2).map(|median| (variant.to_string(), *median)))
}
