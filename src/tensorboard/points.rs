//! Which feature rows of a cache are shown, and the rows themselves.

use crate::augment::Variant;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::matrix::Matrix;
use crate::store::{FeatureCache, Key, Samples};
use std::collections::HashMap;
use std::path::Path;

/// Feature rows in the order of the images' paths, then of the variants.
#[derive(Debug)]
pub(super) struct Points {
    /// Of each, the number of its sample, the first of copies, and its variant.
    pub places: Vec<(usize, Variant)>,
    /// Rows that there are.
    pub of: usize,
    /// The embeddings.
    pub features: Matrix,
}

impl Points {
    /// At most `most` of the rows that match the samples of the cache at `path`, evenly spread.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there are none, or a part is damaged.
    pub fn read(
        path: &Path,
        store: &FeatureCache,
        samples: &Samples,
        (most, threads): (usize, usize),
    ) -> Result<Self> {
        let catalog = store.catalog(threads)?;
        let mut numbers: HashMap<Digest, usize> = HashMap::new();
        for (number, sample) in samples.rows.iter().enumerate() {
            numbers.entry(sample.file.image_sha256).or_insert(number);
        }
        let place = |key: &Key| numbers.get(&key.image_sha256).map(|&number| (number, key.variant));
        let mut places: Vec<(usize, Variant)> = catalog.keys().filter_map(place).collect();
        places.sort_unstable();
        places.dedup();
        let of = places.len();
        if of == 0 {
            return Err(Error::new(Kind::Cache, "it holds no features of its images")
                .at(path)
                .help("run the same `headstart extract` again: it computes only what is missing"));
        }
        let places: Vec<(usize, Variant)> = places.into_iter().step_by(of.div_ceil(most)).collect();
        let rows: HashMap<(usize, Variant), usize> = places.iter().copied().zip(0..).collect();
        let row_of = |key: &Key| place(key).and_then(|place| rows.get(&place).copied());
        let found = catalog.read(&catalog.select(|key| row_of(key).is_some()), threads)?;
        let mut features = Matrix::zeros(places.len(), catalog.width());
        for (number, key) in found.keys.iter().enumerate() {
            let row = row_of(key).expect("only wanted rows were read");
            features.row_mut(row).copy_from_slice(found.features.row(number));
        }
        Ok(Self { places, of, features })
    }
}
