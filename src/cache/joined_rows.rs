//! The samples of a cache joined with their features: one row per file and variant, sorted by path, then by variant. Features
//! are read in passes of limited size.

use super::catalog::Catalog;
use super::key::Key;
use super::reader::FeatureCache;
use super::samples::Samples;
use crate::data::augment::Variant;
use crate::data::dataset::{Sample, class_names};
use crate::error::Result;
use crate::io::digest::Digest;
use crate::io::parquet::{ColumnData, MAX_GROUP_ROWS};
use crate::math::parallel;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The columns of the join except the features.
pub(super) const COLUMNS: [&str; 6] = ["path", "label", "target", "split", "image_sha256", "variant"];

/// Bytes of features that are held in memory at once. A cache of this size is read once, a larger one once for each pass.
const PASS_BYTES: usize = 1 << 30;

/// Samples joined with features.
pub(super) struct JoinedRows<'a> {
    catalog: Catalog,
    /// The rows in the order of the export.
    pub rows: Vec<JoinedRow<'a>>,
    /// Class names in the order of their indices.
    pub classes: Vec<String>,
    /// Number of image files without features.
    pub without_features: usize,
}

/// One file and one of its variants.
#[derive(Clone, Copy)]
pub(super) struct JoinedRow<'a> {
    /// The file.
    pub sample: &'a Sample,
    /// The variant of its image.
    pub variant: Variant,
}

impl JoinedRow<'_> {
    fn key(&self) -> Key {
        Key { image_sha256: self.sample.file.image_sha256, variant: self.variant }
    }
}

impl<'a> JoinedRows<'a> {
    /// Joins `samples` with the keys of the cache.
    ///
    /// # Errors
    /// Those of [`FeatureCache::catalog`].
    pub fn of(cache: &FeatureCache, samples: &'a Samples) -> Result<Self> {
        let catalog = cache.catalog(parallel::thread_count(0))?;
        let mut by_image: HashMap<Digest, Vec<&Sample>> = HashMap::new();
        for sample in &samples.rows {
            by_image.entry(sample.file.image_sha256).or_default().push(sample);
        }
        let mut rows: Vec<JoinedRow> = Vec::new();
        for key in catalog.keys().collect::<HashSet<_>>() {
            let files = by_image.get(&key.image_sha256).into_iter().flatten();
            rows.extend(files.map(|&sample| JoinedRow { sample, variant: key.variant }));
        }
        rows.sort_by(|a, b| (&a.sample.file.path, a.variant).cmp(&(&b.sample.file.path, b.variant)));
        let with_features: BTreeSet<&str> = rows.iter().map(|row| row.sample.file.path.as_str()).collect();
        let without_features = samples.rows.len() - with_features.len();
        Ok(Self { catalog, rows, classes: class_names(&samples.rows), without_features })
    }

    /// Floats per row.
    pub fn width(&self) -> usize {
        self.catalog.width()
    }

    /// Calls `write` with all rows in order, at most [`MAX_GROUP_ROWS`] at a time, and their features `[rows, width]`.
    ///
    /// # Errors
    /// Those of [`Catalog::read`] and of `write`.
    pub fn for_each_block(&self, mut write: impl FnMut(&[JoinedRow], Vec<f32>) -> Result<()>) -> Result<()> {
        let rows_per_pass = (PASS_BYTES / (4 * self.width().max(1))).max(MAX_GROUP_ROWS);
        for rows in self.rows.chunks(rows_per_pass) {
            let wanted: HashSet<Key> = rows.iter().map(JoinedRow::key).collect();
            let selections = self.catalog.select(|key| wanted.contains(key));
            let found = self.catalog.read(&selections, parallel::thread_count(0))?;
            let positions: HashMap<Key, usize> = found.keys.iter().copied().zip(0..).collect();
            for block in rows.chunks(MAX_GROUP_ROWS) {
                let features = block.iter().flat_map(|row| found.features.row(positions[&row.key()]));
                write(block, features.copied().collect())?;
            }
        }
        Ok(())
    }

    /// Class index of each of `rows`.
    pub fn targets(&self, rows: &[JoinedRow]) -> Vec<i64> {
        let index = |label| self.classes.binary_search(label).expect("classes come from the samples") as i64;
        rows.iter().map(|row| index(&row.sample.file.label)).collect()
    }

    /// Names and values of all columns of `rows` except the features.
    pub fn columns(&self, rows: &[JoinedRow]) -> impl Iterator<Item = (&'static str, ColumnData)> {
        let text = |get: fn(&JoinedRow) -> String| ColumnData::Text(rows.iter().map(get).collect());
        let columns = [
            text(|row| row.sample.file.path.clone()),
            text(|row| row.sample.file.label.clone()),
            ColumnData::Int64(self.targets(rows)),
            text(|row| row.sample.split.to_string()),
            ColumnData::Digests(rows.iter().map(|row| row.sample.file.image_sha256).collect()),
            text(|row| row.variant.to_string()),
        ];
        COLUMNS.into_iter().zip(columns)
    }
}
