//! Images of a cache whose features point most nearly the same way as given ones. It refuses to know how features are made.

use crate::augment::Variant;
use crate::dataset::{Sample, Split};
use crate::digest::Digest;
use crate::error::Result;
use crate::store::{FeatureCache, Part, Samples};
use crate::threads::{self, in_parallel};
use serde::Serialize;
use std::collections::HashMap;

/// An image of a cache near to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Neighbour {
    /// Relative to the folder of images; of copies the first.
    pub path: String,
    /// Of its bytes.
    #[serde(skip)]
    pub image_sha256: Digest,
    /// Its class.
    pub label: String,
    /// Its part of the data, as the cache has it.
    pub split: Split,
    /// [`distance`] of the features, of the image as it is.
    pub distance: f64,
}

/// One less the cosine of the angle between two feature rows: 0 for the same direction, up to 2. A row of zeros, or
/// with values that are no numbers, has distance 1 from all.
///
/// Directions rather than places (Euclid), as is usual for features of a network (Babenko et al. 2014, ECCV, *Neural Codes
/// for Image Retrieval*): how long a row is tells more of contrast than of what is to be seen.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    apart(a, b, length(a) * length(b))
}

/// [`distance`] of rows the product of whose lengths is known.
pub fn apart(a: &[f32], b: &[f32], lengths: f64) -> f64 {
    if lengths > 0.0 && lengths.is_finite() { (1.0 - dot(a, b) / lengths).max(0.0) } else { 1.0 }
}

/// The Euclidean length of a row.
pub fn length(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}

/// Sums of so many products are independent, so that vectors of the processor take them side by side.
const LANES: usize = 16;

/// The inner product; sums are float32 over short stretches and float64 over all.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let stretch = |(a, b): (&[f32], &[f32])| {
        let mut sums = [0f32; LANES];
        let (blocks_a, blocks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        let rest = blocks_a.remainder().iter().zip(blocks_b.remainder()).map(|(a, b)| a * b).sum::<f32>();
        for (a, b) in blocks_a.zip(blocks_b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        f64::from(rest) + sums.iter().map(|&sum| f64::from(sum)).sum::<f64>()
    };
    a.chunks(256).zip(b.chunks(256)).map(stretch).sum()
}

/// For each row of `queries` the `most` nearest images of the data set, variant `none`, nearest first; of equals, the
/// first by path. The parts are read once for all queries, one at a time for each core.
///
/// # Errors
/// [`crate::error::Kind::Cache`] when a part is damaged.
pub fn nearest(
    store: &FeatureCache,
    samples: &Samples,
    queries: &[Vec<f32>],
    most: usize,
) -> Result<Vec<Vec<Neighbour>>> {
    let mut images: HashMap<Digest, &Sample> = HashMap::new();
    for sample in &samples.rows {
        images.entry(sample.file.image_sha256).or_insert(sample);
    }
    let of_part = |part: &Part| -> Result<Vec<Vec<Neighbour>>> {
        let rows = part.rows(store.spec().width)?;
        let mut found = vec![Vec::new(); queries.len()];
        for (key, row) in rows.keys.iter().zip(rows.embeddings.chunks_exact(rows.width.max(1))) {
            let Some(sample) = images.get(&key.image_sha256).filter(|_| key.variant == Variant::None) else {
                continue;
            };
            for (query, found) in queries.iter().zip(&mut found) {
                keep(found, most, distance(query, row), sample);
            }
        }
        Ok(found)
    };
    store.with_parts(|parts| {
        let mut all = vec![Vec::new(); queries.len()];
        for found in in_parallel(threads::number(0), parts, of_part)? {
            for (all, found) in all.iter_mut().zip(found) {
                all.extend(found);
            }
        }
        for found in &mut all {
            found.sort_by(order);
            // A key may stand in two parts.
            found.dedup_by(|a, b| a.path == b.path);
            found.truncate(most);
        }
        Ok(all)
    })
}

fn order(a: &Neighbour, b: &Neighbour) -> std::cmp::Ordering {
    a.distance.total_cmp(&b.distance).then_with(|| a.path.cmp(&b.path))
}

/// Adds an image to the nearest so far where it is one of them.
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
    fn the_distance_is_of_directions() {
        assert!(distance(&[3.0, 0.0], &[5.0, 0.0]) < 1e-12);
        assert!((distance(&[1.0, 0.0], &[1.0, 1.0]) - (1.0 - 0.5f64.sqrt())).abs() < 1e-7);
        assert!((distance(&[1.0, 0.0], &[-2.0, 0.0]) - 2.0).abs() < 1e-12);
        assert_eq!(distance(&[0.0, 0.0], &[1.0, 2.0]), 1.0);
        // Longer than a stretch, and no whole number of lanes.
        let a: Vec<f32> = (0..700).map(|i| (i % 7) as f32).collect();
        let b: Vec<f32> = (0..700).map(|i| (i % 5) as f32).collect();
        let plain = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let expected = 1.0 - plain(&a, &b) / (plain(&a, &a) * plain(&b, &b)).sqrt();
        assert!((distance(&a, &b) - expected).abs() < 1e-9);
    }
}
