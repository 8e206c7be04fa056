//! A cache opened for adding to it.

use super::key::Key;
use super::layers;
use super::layout::{DAMAGED, FEATURES, LOCK, REFUSED, REFUSED_ROWS, SAMPLES, SPEC};
use super::part::{FeatureRows, Part, SPEC_DIGEST};
use super::reader::FeatureCache;
use super::refused::encode_refused;
use super::refused_rows::encode_refused_rows;
use super::samples::Samples;
use super::spec::Spec;
use crate::data::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, Lock};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names of files that may stand beside the caches of layers.
const BESIDE_LAYERS: [&str; 3] = ["README.md", ".gitignore", ".DS_Store"];

/// Where feature rows go, a part at a time.
pub(crate) trait RowTarget {
    /// Takes rows that make a part, with its metadata.
    ///
    /// # Errors
    /// [`Kind::Io`] when they cannot be written.
    fn take_part(&mut self, rows: FeatureRows, metadata: BTreeMap<String, String>) -> Result<()>;
}

impl RowTarget for CacheWriter {
    fn take_part(&mut self, rows: FeatureRows, metadata: BTreeMap<String, String>) -> Result<()> {
        self.append(rows, metadata).map(drop)
    }
}

/// A cache opened for adding to it. Holds the cache's lock until dropped.
#[derive(Debug)]
pub struct CacheWriter {
    cache: FeatureCache,
    next_number: u32,
    _lock: Lock,
}

impl CacheWriter {
    /// Opens the cache at `root`, or creates it with `spec`. Removes unfinished files of killed writers.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process writes, [`Kind::Cache`] when the folder holds features of another spec or
    /// other files than a cache, [`Kind::Io`] when the operating system refuses.
    pub fn open_or_create(root: &Path, spec: &Spec) -> Result<Self> {
        check_target(root)?;
        fs::create_folder(&root.join(FEATURES))?;
        let lock = Lock::take(&root.join(LOCK))?;
        // A swap of a killed compaction must be durable before the old folder is removed as a leftover.
        fs::sync_folder(root)?;
        fs::remove_leftovers(root)?;
        fs::remove_leftovers(&root.join(FEATURES))?;
        match Spec::read(root)? {
            Some(existing) => existing.require(spec, root)?,
            None => fs::write_atomic(&root.join(SPEC), &spec.encode())?,
        }
        let cache = FeatureCache::open(root)?;
        let next_number = cache.parts()?.iter().map(|part| part.number + 1).max().unwrap_or(0);
        Ok(Self { cache, next_number, _lock: lock })
    }

    /// The number that no part has yet, and no later one either.
    pub(crate) fn next_number(&self) -> u32 {
        self.next_number
    }

    /// The same cache for reading.
    pub fn cache(&self) -> &FeatureCache {
        &self.cache
    }

    /// Adds a part with `metadata` and the digest of the spec in its footer. The part is durable when this returns. `rows.width` must be the width of
    /// the spec, and at most [`MAX_PART_ROWS`](super::part::MAX_PART_ROWS) rows make a part of reasonable size.
    ///
    /// # Errors
    /// [`Kind::Io`] when the operating system refuses.
    ///
    /// # Panics
    /// When `rows.embeddings` does not hold `keys.len() * width` floats.
    pub fn append(&mut self, rows: FeatureRows, metadata: BTreeMap<String, String>) -> Result<Part> {
        self.append_to(&self.cache.root().join(FEATURES), rows, metadata)
    }

    /// Writes a part with the next number into `folder`, which is to replace the folder of parts.
    pub(super) fn append_to(
        &mut self,
        folder: &Path,
        rows: FeatureRows,
        mut metadata: BTreeMap<String, String>,
    ) -> Result<Part> {
        metadata.insert(SPEC_DIGEST.into(), self.cache.spec().digest().to_string());
        let part = Part::write(folder, self.next_number, rows, metadata)?;
        self.next_number += 1;
        Ok(part)
    }

    /// Replaces the description of the data set: `samples.parquet` and `refused.parquet`.
    ///
    /// # Errors
    /// [`Kind::Io`] when the operating system refuses; the old `samples.parquet` then stays.
    pub fn describe(&self, samples: &Samples, refused: &[Refused]) -> Result<()> {
        let root = self.cache.root();
        fs::write_atomic(&root.join(REFUSED), &encode_refused(refused))?;
        fs::write_atomic(&root.join(SAMPLES), &samples.encode())
    }

    /// Replaces the list of refused rows, `refused-rows.parquet`.
    ///
    /// # Errors
    /// [`Kind::Io`] when the operating system refuses; the old file then stays.
    pub fn record_refused_rows(&self, rows: &BTreeSet<Key>) -> Result<()> {
        fs::write_atomic(&self.cache.root().join(REFUSED_ROWS), &encode_refused_rows(rows))
    }

    /// Moves a damaged part to `damaged/`, and returns its new path.
    ///
    /// # Errors
    /// [`Kind::Io`] when the operating system refuses.
    pub fn quarantine(&self, part: &Part) -> Result<PathBuf> {
        let folder = self.cache.root().join(DAMAGED);
        fs::create_folder(&folder)?;
        let target = folder.join(&part.name);
        fs::rename(&part.path, &target)?;
        Ok(target)
    }
}

/// Checks that a cache may be created or extended at `root`: nothing is there, an empty folder, or a cache.
///
/// # Errors
/// [`Kind::Cache`] for any other folder, for a file and for a link that leads nowhere; [`Kind::Usage`] for a path that is not
/// UTF-8.
pub fn check_target(root: &Path) -> Result<()> {
    let refuse = |message: &str| {
        Err(Error::new(Kind::Cache, message).at(root).help("choose an empty or a new folder for `cache`"))
    };
    fs::check_place(root).map_err(|e| match e.kind() {
        Kind::Io => e.of_kind(Kind::Cache),
        _ => e,
    })?;
    match root.exists() {
        true if Spec::read(root)?.is_none() && has_foreign_files(root)? => {
            refuse("the folder is not empty and holds no cache")
        }
        _ => Ok(()),
    }
}

/// Checks that caches of layers may be created or extended in `folder`: nothing is there, or a folder with nothing else.
///
/// # Errors
/// [`Kind::Cache`] for any other folder, and those of [`layers::layer_caches`].
pub fn check_layers_target(folder: &Path) -> Result<()> {
    let refuse = |message: String| {
        Err(Error::new(Kind::Cache, message).at(folder).help("choose an empty or a new folder for `cache`"))
    };
    if let Some(spec) = Spec::read(folder)? {
        return refuse(format!("it is the cache of one layer, {}, and not a folder for several", spec.layer));
    }
    if !folder.is_dir() {
        return check_target(folder);
    }
    let own: Vec<PathBuf> = layers::layer_caches(folder)?.into_iter().map(|(path, _)| path).collect();
    let is_foreign = |entry: &fs::FolderEntry| {
        let is_own = own.contains(&entry.path) || BESIDE_LAYERS.contains(&entry.name.as_str());
        // What a killed writer leaves behind.
        let is_begun =
            || entry.path.is_dir() && !entry.path.join(SPEC).exists() && check_target(&entry.path).is_ok();
        !is_own && !entry.name.starts_with(fs::TEMPORARY_PREFIX) && !is_begun()
    };
    match fs::list(folder)?.iter().find(|entry| is_foreign(entry)) {
        Some(entry) => {
            refuse(format!("the folder holds something else than caches of layers: {}", entry.name))
        }
        None => Ok(()),
    }
}

/// Whether a folder without a spec holds more than a writer leaves behind that was killed early. Parts without a spec
/// count: it is unknown what their features are.
fn has_foreign_files(root: &Path) -> Result<bool> {
    // The spec is listed because another process may have written it since it was looked for.
    let own = [LOCK, FEATURES, "README.md", ".gitignore", SPEC];
    let is_foreign = |entry: &fs::FolderEntry| {
        !own.contains(&entry.name.as_str()) && !entry.name.starts_with(fs::TEMPORARY_PREFIX)
    };
    let features = root.join(FEATURES);
    let has_parts = features.is_dir() && fs::list(&features)?.iter().any(is_foreign);
    Ok(has_parts || fs::list(root)?.iter().any(is_foreign))
}

#[cfg(test)]
mod tests {
    use super::super::test_data::{rows, spec};
    use super::*;
    use crate::io::digest::sha256;

    #[test]
    fn rows_are_sorted_by_key_across_parts() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["c", "a"]), BTreeMap::new()).unwrap();
        writer.append(rows(&["b", "a"]), BTreeMap::new()).unwrap();
        let cache = FeatureCache::open(dir.path()).unwrap();
        // The digests of c, b and a begin with 2e, 3e and ca.
        assert_eq!(cache.rows(|_| true).unwrap(), rows(&["c", "b", "a"]));
        assert_eq!(cache.rows(|key| key.image_sha256 == sha256(b"b")).unwrap(), rows(&["b"]));
        assert_eq!(cache.keys().unwrap().len(), 3);
        let names: Vec<u32> = cache.parts().unwrap().iter().map(|p| p.number).collect();
        assert_eq!(names, [0, 1]);
    }

    #[test]
    fn a_flipped_bit_is_detected_by_readers_and_the_part_can_be_quarantined() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        let part = writer.append(rows(&["a"]), BTreeMap::new()).unwrap();
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, bytes).unwrap();
        let error = writer.cache().rows(|_| true).unwrap_err();
        assert!(error.to_string().contains(&part.name), "{error}");
        assert!(error.remedy().unwrap().contains("`cache::verify`"));
        let moved = writer.quarantine(&part).unwrap();
        assert!(moved.starts_with(dir.path().join("damaged")));
        assert!(writer.cache().rows(|_| true).unwrap().keys.is_empty());
    }

    #[test]
    fn one_process_writes_at_a_time_and_leftovers_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        assert_eq!(CacheWriter::open_or_create(dir.path(), &spec()).unwrap_err().kind(), Kind::Locked);
        drop(writer);
        std::fs::write(dir.path().join("features/.tmp-1-part.unfinished"), "half").unwrap();
        let writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        assert!(writer.cache().parts().unwrap().is_empty());
        assert!(!dir.path().join("features/.tmp-1-part.unfinished").exists());
    }

    #[test]
    fn a_folder_with_other_files_does_not_become_a_cache() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let error = CacheWriter::open_or_create(dir.path(), &spec()).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
        assert!(FeatureCache::open(dir.path()).unwrap_err().to_string().contains("no spec.json"));
        let missing = FeatureCache::open(&dir.path().join("x")).unwrap_err();
        assert!(missing.to_string().contains("no such cache"));
        // Parts without a spec are unusable, and a new spec must not claim them.
        let orphaned = tempfile::tempdir().unwrap();
        CacheWriter::open_or_create(orphaned.path(), &spec())
            .unwrap()
            .append(rows(&["a"]), BTreeMap::new())
            .unwrap();
        std::fs::remove_file(orphaned.path().join("spec.json")).unwrap();
        assert!(CacheWriter::open_or_create(orphaned.path(), &spec()).is_err());
    }
}
