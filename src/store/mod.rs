//! A cache of features on disk (features-v1): the spec, the samples, the parts. Append-only: readers are never
//! disturbed, one writer at a time. It refuses to know how features are made or used.

pub mod catalog;
mod column;
pub mod compact;
pub mod export;
pub mod info;
pub mod key;
mod samples;
pub mod shard;
pub mod spec;
pub mod table;

pub use catalog::{Catalog, Found, Pick};
pub use key::Key;
pub use samples::Samples;
pub use shard::{Part, Rows};
pub use spec::{BackboneSpec, PreprocessingSpec, Spec};

use crate::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::fs::{self, Lock};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A cache, open for reading.
#[derive(Debug, Clone)]
pub struct FeatureStore {
    root: PathBuf,
    spec: Spec,
}

impl FeatureStore {
    /// Opens the cache at `root`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is none, or its spec is of another version.
    pub fn open(root: &Path) -> Result<Self> {
        let spec = Spec::read(root)?.ok_or_else(|| {
            let (message, remedy) = match root.exists() {
                false => ("no such cache", "`headstart extract IMAGES --cache CACHE` makes one"),
                true => {
                    ("not a cache: it holds no spec.json", "give the folder that `headstart extract` wrote")
                }
            };
            Error::new(Kind::Cache, message).at(root).help(remedy)
        })?;
        Ok(Self { root: root.to_path_buf(), spec })
    }

    /// What its features are.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The data set as last described.
    ///
    /// # Errors
    /// [`Kind::Cache`] when `samples.parquet` is missing or damaged.
    pub fn samples(&self) -> Result<Samples> {
        let path = self.root.join(SAMPLES);
        if !path.exists() {
            return Err(Error::new(Kind::Cache, "it is missing").at(path).help(
                "run `headstart extract` again, with the --seed and --split that the cache was made with",
            ));
        }
        Samples::read(&path).map_err(|e| {
            e.help("delete it, then run `headstart extract` with the --seed and --split that the cache was made with")
        })
    }

    /// The data set as last described; `None` when it never was.
    ///
    /// # Errors
    /// As [`FeatureStore::samples`], but for a file that is missing.
    pub fn samples_if_any(&self) -> Result<Option<Samples>> {
        if self.root.join(SAMPLES).exists() { self.samples().map(Some) } else { Ok(None) }
    }

    /// Its parts, by name.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn parts(&self) -> Result<Vec<Part>> {
        let folder = self.root.join(FEATURES);
        // A listing of a folder that a compaction swaps meanwhile breaks off without a word.
        loop {
            let listed = fs::identity(&folder);
            if listed.is_none() && !folder.exists() {
                return Ok(Vec::new());
            }
            let found = fs::list(&folder)?;
            if fs::identity(&folder) == listed {
                return Ok(found
                    .into_iter()
                    .filter_map(|(name, path)| Part::from_name(&name, path))
                    .collect());
            }
        }
    }

    /// The keys of all parts.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part cannot be read.
    pub fn keys(&self) -> Result<HashSet<Key>> {
        self.of_all_parts(keys_of)
    }

    /// What `read` makes of all parts; again from the start when a compaction has replaced them meanwhile.
    pub(crate) fn of_all_parts<T>(&self, read: impl Fn(&[Part]) -> Result<T>) -> Result<T> {
        let folder = self.root.join(FEATURES);
        loop {
            let listed = fs::identity(&folder);
            let done = self.parts().and_then(|parts| read(&parts));
            if done.is_ok() || fs::identity(&folder) == listed {
                return done;
            }
        }
    }

    /// The rows whose key is `wanted`, sorted by key, each part's digest verified. A key that stands twice counts
    /// once.
    ///
    /// # Errors
    /// [`Kind::Cache`] when a part is damaged or of another width, [`Kind::Io`] when it cannot be read.
    pub fn rows(&self, wanted: impl Fn(&Key) -> bool) -> Result<Rows> {
        let width = self.spec.width;
        let found = self.of_all_parts(|parts| {
            let mut found: BTreeMap<Key, Vec<f32>> = BTreeMap::new();
            for part in parts {
                let rows = part.rows(width)?;
                for (key, embedding) in rows.keys.into_iter().zip(rows.embeddings.chunks_exact(width.max(1)))
                {
                    if wanted(&key) {
                        found.insert(key, embedding.to_vec());
                    }
                }
            }
            Ok(found)
        })?;
        let mut rows = Rows { width, ..Rows::default() };
        for (key, embedding) in found {
            rows.keys.push(key);
            rows.embeddings.extend(embedding);
        }
        Ok(rows)
    }
}

/// The most rows of a part that is written: with 2,048 floats each, 32 MiB.
pub const PART_ROWS: usize = 4096;

const SAMPLES: &str = "samples.parquet";
const REFUSED: &str = "refused.parquet";
const FEATURES: &str = "features";

/// The keys of some parts.
fn keys_of(parts: &[Part]) -> Result<HashSet<Key>> {
    let mut keys = HashSet::new();
    for part in parts {
        keys.extend(part.keys()?);
    }
    Ok(keys)
}

/// What an earlier run left in `root` about files it could not use.
///
/// # Errors
/// [`Kind::Cache`] when the file is damaged.
pub fn read_refused(root: &Path) -> Result<Vec<Refused>> {
    let path = root.join(REFUSED);
    if path.exists() { samples::read_refused(&path) } else { Ok(Vec::new()) }
}

/// What `cache verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// Parts that were looked at.
    pub parts: usize,
    /// Parts that are damaged: where they are now.
    pub damaged: Vec<String>,
}

/// Rehashes and decodes every part of the cache at `root`, and moves damaged ones to `damaged/` unless `dry_run`.
///
/// # Errors
/// [`Kind::Locked`] when another process writes, [`Kind::Io`] when a part cannot be read at all, [`Kind::Cache`] when
/// the description of the data set is damaged.
pub fn verify(root: &Path, dry_run: bool, monitor: &dyn Monitor) -> Result<Verified> {
    let store = FeatureStore::open(root)?;
    let writer = if dry_run { None } else { Some(Writer::open_or_create(root, store.spec())?) };
    let verified = store.of_all_parts(|parts| {
        let task = monitor.task("verifying parts", Some(parts.len() as u64), Unit::Parts);
        let mut damaged = Vec::new();
        for part in parts {
            match part.rows(store.spec.width) {
                Err(error) if error.kind() == Kind::Cache => {
                    monitor.warn(&error.with_causes());
                    let now =
                        writer.as_ref().map_or(Ok(part.path.clone()), |writer| writer.set_aside(part))?;
                    damaged.push(now.display().to_string());
                }
                other => drop(other?),
            }
            task.advance(1);
        }
        Ok(Verified { parts: parts.len(), damaged })
    })?;
    store.samples()?;
    read_refused(root).map_err(|e| e.help("delete it: `headstart extract` looks at those files again"))?;
    Ok(verified)
}

/// Checks that a cache may be made or completed at `root`: nothing there, an empty folder, or a cache.
///
/// # Errors
/// [`Kind::Cache`] for any other folder or file.
pub fn check_target(root: &Path) -> Result<()> {
    let refuse = |message: &str| {
        Err(Error::new(Kind::Cache, message).at(root).help("choose an empty or a new folder for --cache"))
    };
    match root.exists() {
        true if !root.is_dir() => refuse("it is a file, not a folder"),
        true if Spec::read(root)?.is_none() && holds_something(root)? => {
            refuse("the folder is not empty and holds no cache")
        }
        _ => Ok(()),
    }
}

/// A cache, open for adding to; holds the lock.
#[derive(Debug)]
pub struct Writer {
    store: FeatureStore,
    next: u32,
    _lock: Lock,
}

impl Writer {
    /// Opens the cache at `root`, or creates it with `spec`; removes what killed writers left half-done.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process writes, [`Kind::Cache`] when the folder holds other features or
    /// something that is no cache.
    pub fn open_or_create(root: &Path, spec: &Spec) -> Result<Self> {
        check_target(root)?;
        fs::create_folder(&root.join(FEATURES))?;
        let lock = Lock::take(&root.join(".lock"))?;
        // What a killed compaction swapped stays swapped before its leftovers go.
        fs::sync_folder(root)?;
        fs::remove_leftovers(root)?;
        fs::remove_leftovers(&root.join(FEATURES))?;
        match Spec::read(root)? {
            Some(there) => there.require(spec, root)?,
            None => fs::write_atomic(&root.join("spec.json"), &spec.encode())?,
        }
        let store = FeatureStore::open(root)?;
        let next = store.parts()?.iter().map(|part| part.number + 1).max().unwrap_or(0);
        Ok(Self { store, next, _lock: lock })
    }

    /// The same cache for reading.
    pub fn store(&self) -> &FeatureStore {
        &self.store
    }

    /// Adds a part; durable when this returns.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn append(&mut self, rows: Rows, metadata: BTreeMap<String, String>) -> Result<Part> {
        self.append_in(&self.store.root.join(FEATURES), rows, metadata)
    }

    /// Writes a part with the next number into another folder, whose turn is still to come.
    fn append_in(&mut self, folder: &Path, rows: Rows, metadata: BTreeMap<String, String>) -> Result<Part> {
        let part = Part::write(folder, self.next, rows, metadata)?;
        self.next += 1;
        Ok(part)
    }

    /// Replaces the description of the data set.
    ///
    /// # Errors
    /// When the operating system refuses; the old description then stands.
    pub fn describe(&self, samples: &Samples, refused: &[Refused]) -> Result<()> {
        fs::write_atomic(&self.store.root.join(REFUSED), &samples::encode_refused(refused))?;
        fs::write_atomic(&self.store.root.join(SAMPLES), &samples.encode())
    }

    /// Moves a damaged part out of the way, to `damaged/`.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn set_aside(&self, part: &Part) -> Result<PathBuf> {
        let folder = self.store.root.join("damaged");
        fs::create_folder(&folder)?;
        let target = folder.join(&part.name);
        fs::rename(&part.path, &target)?;
        Ok(target)
    }
}

/// Whether a folder without a spec holds more than a killed first writer leaves behind. Parts without a spec count:
/// nobody can say what their features are.
fn holds_something(root: &Path) -> Result<bool> {
    // The spec too: another process may have written it since it was looked for.
    let ours = [".lock", FEATURES, "README.md", ".gitignore", "spec.json"];
    let foreign = |name: &String| !ours.contains(&name.as_str()) && !name.starts_with(fs::TEMPORARY);
    let features = root.join(FEATURES);
    let parts = features.is_dir() && fs::list(&features)?.iter().any(|(name, _)| foreign(name));
    Ok(parts || fs::list(root)?.iter().any(|(name, _)| foreign(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Variant;
    use crate::digest::sha256;
    use crate::preprocess::Preprocessing;

    pub(super) fn spec() -> Spec {
        Spec {
            schema: spec::SCHEMA.into(),
            backbone: BackboneSpec { name: "n".into(), title: "t".into(), graph_sha256: sha256(b"ab") },
            layer: "PreLogits".into(),
            width: 2,
            preprocessing: PreprocessingSpec {
                decode: "d".into(),
                steps: Preprocessing::named("unit").unwrap(),
            },
            known_answer: None,
        }
    }

    pub(super) fn rows(names: &[&str]) -> Rows {
        let key = |n: &&str| Key { image_sha256: sha256(n.as_bytes()), variant: Variant::None };
        let embeddings = names.iter().flat_map(|n| [n.len() as f32, f32::from(n.as_bytes()[0])]).collect();
        Rows { keys: names.iter().map(key).collect(), width: 2, embeddings }
    }

    #[test]
    fn rows_come_back_sorted_whatever_the_parts() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        writer.append(rows(&["c", "a"]), BTreeMap::new()).unwrap();
        writer.append(rows(&["b", "a"]), BTreeMap::new()).unwrap();
        let store = FeatureStore::open(dir.path()).unwrap();
        // Their digests begin with 2e, 3e and ca.
        assert_eq!(store.rows(|_| true).unwrap(), rows(&["c", "b", "a"]));
        assert_eq!(store.rows(|key| key.image_sha256 == sha256(b"b")).unwrap(), rows(&["b"]));
        assert_eq!(store.keys().unwrap().len(), 3);
        let names: Vec<u32> = store.parts().unwrap().iter().map(|p| p.number).collect();
        assert_eq!(names, [0, 1]);
    }

    #[test]
    fn a_flipped_bit_is_seen_by_readers_and_set_aside_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        let part = writer.append(rows(&["a"]), BTreeMap::new()).unwrap();
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, bytes).unwrap();
        let error = writer.store().rows(|_| true).unwrap_err();
        assert!(error.to_string().contains(&part.name), "{error}");
        assert!(error.remedy().unwrap().contains("cache verify"));
        let aside = writer.set_aside(&part).unwrap();
        assert!(aside.starts_with(dir.path().join("damaged")));
        assert!(writer.store().rows(|_| true).unwrap().keys.is_empty());
    }

    #[test]
    fn one_writer_at_a_time_and_leftovers_go() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        assert_eq!(Writer::open_or_create(dir.path(), &spec()).unwrap_err().kind(), Kind::Locked);
        drop(writer);
        std::fs::write(dir.path().join("features/.tmp-1-part.unfinished"), "half").unwrap();
        let writer = Writer::open_or_create(dir.path(), &spec()).unwrap();
        assert!(writer.store().parts().unwrap().is_empty());
        assert!(!dir.path().join("features/.tmp-1-part.unfinished").exists());
    }

    #[test]
    fn a_folder_of_other_things_is_not_made_a_cache() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), "").unwrap();
        let error = Writer::open_or_create(dir.path(), &spec()).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
        assert!(FeatureStore::open(dir.path()).unwrap_err().to_string().contains("no spec.json"));
        let missing = FeatureStore::open(&dir.path().join("x")).unwrap_err();
        assert!(missing.to_string().contains("no such cache"));
        // Parts whose spec is gone are nobody's features.
        let orphaned = tempfile::tempdir().unwrap();
        Writer::open_or_create(orphaned.path(), &spec())
            .unwrap()
            .append(rows(&["a"]), BTreeMap::new())
            .unwrap();
        std::fs::remove_file(orphaned.path().join("spec.json")).unwrap();
        assert!(Writer::open_or_create(orphaned.path(), &spec()).is_err());
    }
}
