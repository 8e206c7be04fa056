//! A cache opened for reading: the spec, the samples, the parts and their rows.

use super::duplicates::check_duplicates;
use super::key::Key;
use super::layers::{caches_in, not_one_cache};
use super::layout::{FEATURES, SAMPLES};
use super::part::{FeatureRows, Part};
use super::samples::Samples;
use super::spec::Spec;
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, HeldFolder};
use crate::io::store::Store;
use crate::monitor::Monitor;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A cache opened for reading. A compaction or a writer in another process does not disturb it.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    root: PathBuf,
    spec: Spec,
}

impl FeatureCache {
    /// Opens the cache at `root`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is no cache, or its spec is of another version.
    pub fn open(root: &Path) -> Result<Self> {
        let spec = Spec::read(root)?.ok_or_else(|| {
            if let Some(obstacle) = fs::obstacle(root) {
                return obstacle.of_kind(Kind::Cache);
            }
            if let Some(several) = caches_in(root).ok().filter(|caches| !caches.is_empty()) {
                return not_one_cache(root, &several);
            }
            let is_cache = |folder: &Path| Spec::read(folder).is_ok_and(|spec| spec.is_some());
            let (message, remedy) = match root.exists() {
                false => {
                    ("no such cache", format!("{}`extract` creates one", fs::meant_beside(root, is_cache)))
                }
                true => (
                    "not a cache: it holds no spec.json",
                    "give the `cache` that `extract` wrote".to_string(),
                ),
            };
            Error::new(Kind::Cache, message).at(root).help(remedy)
        })?;
        Ok(Self { root: root.to_path_buf(), spec })
    }

    /// Reads the spec of the cache that `store` holds.
    ///
    /// # Errors
    /// Those of [`FeatureCache::open`].
    pub(crate) fn spec_in(store: &Store) -> Result<Spec> {
        if !store.is_remote() {
            return Self::open(store.root()).map(|cache| cache.spec);
        }
        Spec::read_from(store)?.ok_or_else(|| no_such_cache(store.root()))
    }

    /// The folder of the cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the features are.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Reads the data set as the last extraction described it.
    ///
    /// # Errors
    /// [`Kind::Cache`] when `samples.parquet` is missing or damaged.
    pub fn samples(&self) -> Result<Samples> {
        let path = self.root.join(SAMPLES);
        if !path.exists() {
            return Err(Error::new(Kind::Cache, "it is missing")
                .at(path)
                .help("run `extract` again, with the `seed` and `split` that the cache was made with"));
        }
        Samples::read(&path).map_err(|e| {
            e.help("delete it, then run `extract` with the `seed` and `split` that the cache was made with")
        })
    }

    /// Reads the data set as [`FeatureCache::samples`] does; `None` when none was described yet.
    ///
    /// # Errors
    /// [`Kind::Cache`] when `samples.parquet` is damaged.
    pub fn samples_if_any(&self) -> Result<Option<Samples>> {
        if self.root.join(SAMPLES).exists() { self.samples().map(Some) } else { Ok(None) }
    }

    /// Lists the parts, sorted by name.
    ///
    /// # Errors
    /// [`Kind::Io`] when the folder cannot be listed.
    pub fn parts(&self) -> Result<Vec<Part>> {
        let folder = self.root.join(FEATURES);
        // When a compaction swaps the folder, the listing of the old one ends early, without an error.
        loop {
            if !folder.exists() {
                return Ok(Vec::new());
            }
            let held = HeldFolder::open(&folder)?;
            let entries = fs::list(&folder);
            if held.is_at(&folder) {
                let part = |entry: fs::FolderEntry| Part::from_name(&entry.name, entry.path);
                return Ok(entries?.into_iter().filter_map(part).collect());
            }
        }
    }

    /// Calls `read` with all parts, and again from the start when a compaction has replaced them in the meantime.
    pub(crate) fn with_parts<T>(&self, read: impl Fn(&[Part]) -> Result<T>) -> Result<T> {
        let folder = self.root.join(FEATURES);
        loop {
            if !folder.exists() {
                return read(&[]);
            }
            let held = HeldFolder::open(&folder)?;
            let result = self.parts().and_then(|parts| read(&parts));
            if result.is_ok() || held.is_at(&folder) {
                return result;
            }
        }
    }

    /// Warns of parts that do not name their spec, as those of version 0.1.0.
    ///
    /// # Errors
    /// [`Kind::Cache`] when the footer of a part cannot be read.
    pub fn warn_of_unnamed_specs(&self, monitor: &dyn Monitor) -> Result<()> {
        let named =
            self.with_parts(|parts| parts.iter().map(Part::names_spec).collect::<Result<Vec<_>>>())?;
        let unnamed = named.iter().filter(|named| !**named).count();
        if unnamed > 0 {
            monitor.warn(&format!(
                "{unnamed} of {} parts are of version 0.1.0 and do not say which spec they have, so it cannot be checked; \
                 `cache::compact` rewrites them",
                named.len()
            ));
        }
        Ok(())
    }

    /// Reads the keys of all parts, without features and without checking digests.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part cannot be read.
    pub fn keys(&self) -> Result<HashSet<Key>> {
        self.with_parts(|parts| distinct_keys(parts, &self.spec))
    }

    /// Reads the rows whose key is `wanted`, sorted by key, and checks the digest of every part. A key that is
    /// stored twice comes once.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged or of another spec, or a key has two values, [`Kind::Io`] when it cannot be read.
    pub fn rows(&self, wanted: impl Fn(&Key) -> bool) -> Result<FeatureRows> {
        let width = self.spec.width;
        let sorted = self.with_parts(|parts| {
            let mut sorted: BTreeMap<Key, Vec<f32>> = BTreeMap::new();
            let keys = parts.iter().map(|part| part.keys(&self.spec)).collect::<Result<Vec<_>>>()?;
            check_duplicates(parts, &keys, &self.spec)?;
            for part in parts {
                let rows = part.rows(&self.spec)?;
                for (key, embedding) in rows.keys.into_iter().zip(rows.embeddings.chunks_exact(width.max(1)))
                {
                    if wanted(&key) {
                        sorted.insert(key, embedding.to_vec());
                    }
                }
            }
            Ok(sorted)
        })?;
        let mut rows = FeatureRows { width, ..FeatureRows::default() };
        for (key, embedding) in sorted {
            rows.keys.push(key);
            rows.embeddings.extend(embedding);
        }
        Ok(rows)
    }
}

/// The error for a URL where there is no cache.
pub(super) fn no_such_cache(url: &Path) -> Error {
    Error::new(Kind::Cache, "no such cache")
        .at(url)
        .help("`extract` creates one; check the URL, and the endpoint in the environment")
}

/// The distinct keys of `parts`.
pub(super) fn distinct_keys(parts: &[Part], spec: &Spec) -> Result<HashSet<Key>> {
    let mut keys = HashSet::new();
    for part in parts {
        keys.extend(part.keys(spec)?);
    }
    Ok(keys)
}
