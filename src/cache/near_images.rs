//! Nearest images: finds the images of a cache whose features point in nearly the same direction as given ones.

use super::duplicates::check_duplicates;
use crate::cache::{FeatureCache, Part, Samples};
use crate::data::augment::Variant;
use crate::data::dataset::{Sample, Split};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::math::parallel::{self, in_parallel};
use serde::Serialize;

/// An image of a cache that is near to another image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Neighbour {
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Digest of the file's bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Class label.
    pub label: String,
    /// Split in the cache.
    pub split: Split,
    /// [`cosine_distance`] of the features, 0 to 2; of the neighbour its variant `none`.
    pub distance: f64,
}

/// Cosine distance of two feature rows, 1 - cos: 0 for the same direction, up to 2 for opposite ones. A row of zeros or
/// with values that are not finite has distance 1 from all others.
///
/// The direction rather than the Euclidean distance is usual for features of a network (Babenko et al. 2014, ECCV,
/// *Neural Codes for Image Retrieval*): the norm of a row depends on contrast more than on content.
///
/// # Panics
/// When the rows differ in length.
pub fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "feature rows of one width");
    let norms = norm(a) * norm(b);
    if norms > 0.0 && norms.is_finite() { (1.0 - dot(a, b) / norms).max(0.0) } else { 1.0 }
}

/// Euclidean norm of a row.
fn norm(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}

/// Number of independent partial sums, so that the compiler can use vector instructions.
const LANES: usize = 16;
/// Products that are summed in float32.
const BLOCK: usize = 256;

/// Inner product, summed in float32 within blocks and in float64 over the blocks.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let block = |(a, b): (&[f32], &[f32])| {
        let mut sums = [0f32; LANES];
        let (lanes_a, lanes_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let rest = lanes_a.remainder().iter().zip(lanes_b.remainder()).map(|(a, b)| a * b).sum::<f32>();
        for (a, b) in lanes_a.zip(lanes_b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        f64::from(rest) + sums.iter().map(|&sum| f64::from(sum)).sum::<f64>()
    };
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(block).sum()
}

/// Finds, for each row of `queries`, the `most` nearest images of the data set among the features of variant `none`:
/// nearest first, ties in order of path. Each part of the cache is read once for all queries.
///
/// # Errors
/// [`Kind::Input`] when a query is not as wide as the cached features; [`Kind::Cache`] when a part is damaged.
pub fn nearest(
    cache: &FeatureCache,
    samples: &Samples,
    queries: &[Vec<f32>],
    most: usize,
) -> Result<Vec<Vec<Neighbour>>> {
    let width = cache.spec().width;
    if let Some(query) = queries.iter().find(|query| query.len() != width) {
        let message = format!("a query of {} values, where cached features have {width}", query.len());
        return Err(Error::new(Kind::Input, message));
    }
    let images = samples.by_digest();
    let nearest_in_part = |part: &Part| -> Result<Vec<Vec<Neighbour>>> {
        let rows = part.rows(cache.spec())?;
        let mut found = vec![Vec::new(); queries.len()];
        for (key, row) in rows.keys.iter().zip(rows.embeddings.chunks_exact(rows.width.max(1))) {
            let Some(sample) = images.get(&key.image_sha256).filter(|_| key.variant == Variant::None) else {
                continue;
            };
            for (query, found) in queries.iter().zip(&mut found) {
                keep(found, most, cosine_distance(query, row), sample);
            }
        }
        Ok(found)
    };
    cache.with_parts(|parts| {
        let keys = in_parallel(parallel::thread_count(0), parts, |part| part.keys(cache.spec()))?;
        check_duplicates(parts, &keys, cache.spec())?;
        let mut all = vec![Vec::new(); queries.len()];
        for found in in_parallel(parallel::thread_count(0), parts, nearest_in_part)? {
            for (all, found) in all.iter_mut().zip(found) {
                all.extend(found);
            }
        }
        for found in &mut all {
            found.sort_by(order);
            // Two parts may hold the same key.
            found.dedup_by(|a, b| a.path == b.path);
            found.truncate(most);
        }
        Ok(all)
    })
}

fn order(a: &Neighbour, b: &Neighbour) -> std::cmp::Ordering {
    a.distance.total_cmp(&b.distance).then_with(|| a.path.cmp(&b.path))
}

/// Adds an image to the nearest found so far if it is among the `most` nearest.
fn keep(found: &mut Vec<Neighbour>, most: usize, distance: f64, sample: &Sample) {
    let is_near = found.len() < most || found.last().is_some_and(|last| distance <= last.distance);
    if most == 0 || !is_near {
        return;
    }
    let one = Neighbour {
        path: sample.file.path.clone(),
        image_sha256: sample.file.image_sha256,
        label: sample.file.label.clone(),
        split: sample.split,
        distance,
    };
    let at = found.partition_point(|other| order(other, &one).is_lt());
    found.insert(at, one);
    found.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_depends_on_directions_only() {
        assert!(cosine_distance(&[3.0, 0.0], &[5.0, 0.0]) < 1e-12);
        assert!((cosine_distance(&[1.0, 0.0], &[1.0, 1.0]) - (1.0 - 0.5f64.sqrt())).abs() < 1e-7);
        assert!((cosine_distance(&[1.0, 0.0], &[-2.0, 0.0]) - 2.0).abs() < 1e-12);
        assert_eq!(cosine_distance(&[0.0, 0.0], &[1.0, 2.0]), 1.0);
        // Longer than a block, and not a multiple of the lanes.
        let a: Vec<f32> = (0..700).map(|i| (i % 7) as f32).collect();
        let b: Vec<f32> = (0..700).map(|i| (i % 5) as f32).collect();
        let plain = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let expected = 1.0 - plain(&a, &b) / (plain(&a, &a) * plain(&b, &b)).sqrt();
        assert!((cosine_distance(&a, &b) - expected).abs() < 1e-9);
    }

    #[test]
    #[should_panic(expected = "feature rows of one width")]
    fn rows_of_different_lengths_have_no_distance() {
        cosine_distance(&[1.0, 0.0], &[1.0]);
    }
}
