//! The feature rows of a cache that the projector shows.

use crate::cache::{FeatureCache, Key, Samples};
use crate::data::augment::Variant;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::math::matrix::Matrix;
use std::collections::HashMap;
use std::path::Path;

/// Identifies a feature row: an image and a variant of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Point {
    /// Index of the sample. Of files with the same bytes it is the first.
    pub sample: usize,
    pub variant: Variant,
}

/// Feature rows, sorted by the path of the image, then by variant.
#[derive(Debug)]
pub(super) struct Points {
    pub points: Vec<Point>,
    /// Number of rows in the cache.
    pub total: usize,
    /// The embeddings, `[points, width]`.
    pub features: Matrix,
}

impl Points {
    /// Reads at most `limit` of the rows that belong to samples of the cache at `path`, evenly spaced.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there are none, or a part is damaged.
    pub fn read(
        path: &Path,
        features: &FeatureCache,
        samples: &Samples,
        limit: usize,
        threads: usize,
    ) -> Result<Self> {
        let catalog = features.catalog(threads)?;
        let mut indices: HashMap<Digest, usize> = HashMap::new();
        for (index, sample) in samples.rows.iter().enumerate() {
            indices.entry(sample.file.image_sha256).or_insert(index);
        }
        let point_of =
            |key: &Key| indices.get(&key.image_sha256).map(|&sample| Point { sample, variant: key.variant });
        let mut points: Vec<Point> = catalog.keys().filter_map(point_of).collect();
        points.sort_unstable();
        points.dedup();
        let total = points.len();
        if total == 0 {
            return Err(Error::new(Kind::Cache, "it holds no features of its images")
                .at(path)
                .help("run the same `extract` again: it computes only what is missing"));
        }
        let points: Vec<Point> = points.into_iter().step_by(total.div_ceil(limit)).collect();
        let rows: HashMap<Point, usize> = points.iter().copied().zip(0..).collect();
        let row_of = |key: &Key| point_of(key).and_then(|point| rows.get(&point).copied());
        let found = catalog.read(&catalog.select(|key| row_of(key).is_some()), threads)?;
        let mut features = Matrix::zeros(points.len(), catalog.width());
        for (i, key) in found.keys.iter().enumerate() {
            let row = row_of(key).expect("only wanted rows were read");
            features.row_mut(row).copy_from_slice(found.features.row(i));
        }
        Ok(Self { points, total, features })
    }
}
