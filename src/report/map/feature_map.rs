//! Where images are on the map: the first two principal components of their features.

use crate::cache::catalog::PartSelection;
use crate::cache::{FeatureCache, Samples};
use crate::data::augment::Variant;
use crate::data::dataset::{Split, class_names};
use crate::data::decode::encode_jpeg;
use crate::data::thumbnail;
use crate::error::{Kind, Result};
use crate::head::{Example, LabelledFeatures, principal_components};
use crate::io::base64::data_uri;
use crate::io::digest::Digest;
use crate::math::parallel;
use std::collections::HashMap;
use std::path::Path;

/// Images on a map at most.
const MOST_POINTS: usize = 2000;
/// Parts of a cache that they are taken from at most: each is read whole.
const MOST_PARTS: usize = 16;
/// Points with a picture at most; each takes some 3 kB.
const MOST_PICTURES: usize = 300;
/// Longer side of a picture, in pixels.
const SIDE: usize = 96;
/// JPEG quality of a picture, from 1 to 100.
const QUALITY: u8 = 70;

/// Images of a cache in two dimensions.
#[derive(Debug, Clone)]
pub struct FeatureMap {
    /// Number of distinct images of the cache that have features.
    pub images: usize,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Some of the images, or all.
    pub points: Vec<MapPoint>,
}

/// An image on a map.
#[derive(Debug, Clone)]
pub struct MapPoint {
    /// The first two principal components, each of variance 1 over the points.
    pub position: [f32; 2],
    /// Relative to the folder of images; the first path of duplicates.
    pub path: String,
    /// Index of its class.
    pub class: usize,
    /// Its split in the cache.
    pub split: Split,
    /// Whether a run answers it right; `None` where that is not known.
    pub correct: Option<bool>,
    /// A small picture as a `data:` URI; `None` where it cannot be shown or others are.
    pub picture: Option<String>,
}

impl FeatureMap {
    /// Places the images of a cache, at most some thousands of them, whose pictures are below `root`. `answers` says which images a
    /// run answers right. `None` where the features have no two components.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged.
    pub fn of(
        cache: &FeatureCache,
        samples: &Samples,
        root: &Path,
        answers: &HashMap<Digest, bool>,
    ) -> Result<Option<Self>> {
        let threads = parallel::thread_count(0);
        let by_digest = samples.by_digest();
        let catalog = cache.catalog(threads)?;
        let selections =
            catalog.select(|key| key.variant == Variant::None && by_digest.contains_key(&key.image_sha256));
        let images = selections.iter().map(|selection| selection.rows.len()).sum();
        let found = catalog.read(&some(selections), threads)?;
        let examples: Vec<Example> =
            (0..found.features.rows() as u32).map(|row| Example { row, target: 0 }).collect();
        let rows = LabelledFeatures { features: &found.features, examples: &examples };
        let components = match principal_components(rows, 2, threads) {
            Err(error) if matches!(error.kind(), Kind::Usage | Kind::Run) => return Ok(None),
            components => components?,
        };
        let classes = class_names(&samples.rows);
        let every = found.keys.len().div_ceil(MOST_PICTURES).max(1);
        let numbers: Vec<usize> = (0..found.keys.len()).collect();
        let points = parallel::in_parallel(threads, &numbers, |&row| {
            let digest = found.keys[row].image_sha256;
            let sample = by_digest[&digest];
            let path = &sample.file.path;
            let is_shown = row % every == 0;
            Ok(MapPoint {
                position: [0, 1].map(|at| components.row(row)[at]),
                path: path.clone(),
                class: classes.partition_point(|name| *name < sample.file.label),
                split: sample.split,
                correct: answers.get(&digest).copied(),
                picture: if is_shown { picture(&root.join(path), digest) } else { None },
            })
        })?;
        Ok(Some(Self { images, classes, points }))
    }
}

/// At most [`MOST_POINTS`] of the selected rows, evenly spaced, from [`MOST_PARTS`] parts.
fn some(selections: Vec<PartSelection>) -> Vec<PartSelection> {
    let every = selections.len().div_ceil(MOST_PARTS).max(1);
    let mut some: Vec<PartSelection> = selections.into_iter().step_by(every).collect();
    let rows: usize = some.iter().map(|selection| selection.rows.len()).sum();
    let every = rows.div_ceil(MOST_POINTS).max(1);
    for selection in &mut some {
        selection.rows = selection.rows.iter().copied().step_by(every).collect();
    }
    some
}

fn picture(path: &Path, digest: Digest) -> Option<String> {
    let image = thumbnail::read_verified(path, digest, None).ok()?;
    let small = if image.width().max(image.height()) > SIDE { thumbnail::fit(&image, SIDE) } else { image };
    Some(data_uri("image/jpeg", &encode_jpeg(&small, QUALITY)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_are_evenly_spaced_and_few() {
        let part = |part: usize| PartSelection { part, rows: (0..500).collect() };
        let chosen = some((0..40).map(part).collect());
        assert!(chosen.len() <= MOST_PARTS);
        let rows: usize = chosen.iter().map(|selection| selection.rows.len()).sum();
        assert!((MOST_POINTS / 2..=MOST_POINTS + MOST_PARTS).contains(&rows), "{rows}");
        assert_eq!(some(vec![part(3)]), [part(3)]);
    }
}
