//! Checks every part of a cache, and moves damaged ones out of the way. Checks whether images are still those described.

use super::duplicates::contradiction;
use super::image_check::ImageCheck;
use super::key::Key;
use super::part::{FeatureRows, Part};
use super::reader::FeatureCache;
use super::refused::read_refused;
use super::refused_rows::read_refused_rows;
use super::writer::CacheWriter;
use crate::error::{Error, Kind, Result};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Settings of [`verify`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VerifyConfig {
    /// Whether damaged parts stay where they are.
    pub dry_run: bool,
    /// The images that the cache describes, a folder, an archive or a manifest, to be read and compared; `None` leaves them alone.
    pub images: Option<PathBuf>,
}

/// Result of [`verify`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VerifyStats {
    /// Number of parts that were checked.
    pub parts: usize,
    /// Paths of the damaged parts, after they were moved.
    pub damaged: Vec<String>,
    /// Whether the damaged parts were moved.
    pub moved: bool,
    /// How the images compare with their description; `None` when they were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageCheck>,
}

/// Checks the digest, the spec and the content of every part of the cache at `root`, and that no two rows contradict one
/// another; moves damaged parts to `damaged/` unless `dry_run`. Also reads `samples.parquet`, `refused.parquet` and
/// `refused-rows.parquet`, and compares the images, if they are given, with their description. A warning reports each
/// damaged part. Nothing is written, and no lock taken, before damage is found; where nothing can be written, a warning
/// says so.
///
/// # Errors
/// [`Kind::Input`] when there is no folder of images, [`Kind::Interrupted`] when the monitor was interrupted;
/// [`Kind::Locked`] when parts are to be moved and another process writes, [`Kind::Io`] when a part cannot be read at all,
/// [`Kind::Cache`] when one of these files is damaged.
pub fn verify(root: &Path, config: &VerifyConfig, monitor: &dyn Monitor) -> Result<VerifyStats> {
    let cache = FeatureCache::open(root)?;
    let (parts, damaged) =
        cache.with_parts(|parts| Ok((parts.len(), check_parts(parts, &cache, monitor)?)))?;
    damaged.iter().for_each(|damage| monitor.warn(&damage.error.with_causes()));
    let moved =
        if config.dry_run || damaged.is_empty() { None } else { move_parts(&cache, &damaged, monitor)? };
    cache.warn_of_unnamed_specs(monitor)?;
    let samples = cache.samples()?;
    read_refused(root).map_err(|e| e.help("delete it: `extract` checks those files again"))?;
    read_refused_rows(root)?;
    let images =
        config.images.as_ref().map(|images| ImageCheck::of(&samples, images, monitor)).transpose()?;
    let is_moved = moved.is_some();
    let paths = || damaged.iter().map(|damage| damage.part.path.display().to_string()).collect();
    Ok(VerifyStats { parts, damaged: moved.unwrap_or_else(paths), moved: is_moved, images })
}

/// A damaged part, and what is wrong with it.
struct Damage {
    part: Part,
    error: Error,
}

/// Checks each part. Of two parts with other features for one key the later one is damaged.
fn check_parts(parts: &[Part], cache: &FeatureCache, monitor: &dyn Monitor) -> Result<Vec<Damage>> {
    let task = monitor.task("verifying parts", Some(parts.len() as u64), Unit::Parts);
    let mut known = KnownRows::new();
    let mut damaged = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let checked = part.rows(cache.spec()).and_then(|rows| add_rows(&mut known, &rows, index, parts));
        match checked {
            Err(error) if error.kind() == Kind::Cache => damaged.push(Damage { part: part.clone(), error }),
            other => other?,
        }
        task.advance(1);
    }
    Ok(damaged)
}

/// Index of the first part that holds a key, and a hash of its features.
type KnownRows = HashMap<Key, (usize, u64)>;

/// Adds the rows of the part at `index`, unless one of them contradicts a known one.
fn add_rows(known: &mut KnownRows, rows: &FeatureRows, index: usize, parts: &[Part]) -> Result<()> {
    let hashed = || {
        let features = rows.embeddings.chunks_exact(rows.width.max(1));
        rows.keys.iter().zip(features).map(|(key, features)| (key, hash(features)))
    };
    let mut own: KnownRows = HashMap::new();
    for (key, hash) in hashed() {
        let (first, expected) = *known.get(key).unwrap_or(own.entry(*key).or_insert((index, hash)));
        if hash != expected {
            return Err(contradiction(&parts[index], &parts[first], key));
        }
    }
    for (key, hash) in hashed() {
        known.entry(*key).or_insert((index, hash));
    }
    Ok(())
}

fn hash(features: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    features.iter().for_each(|value| value.to_bits().hash(&mut hasher));
    hasher.finish()
}

/// Moves the damaged parts that are still there, and returns their new paths; `None` where the cache cannot be written.
fn move_parts(
    cache: &FeatureCache,
    damaged: &[Damage],
    monitor: &dyn Monitor,
) -> Result<Option<Vec<String>>> {
    let moved = CacheWriter::open_or_create(cache.root(), cache.spec()).and_then(|writer| {
        // Another process may have moved some in the meantime.
        let parts = damaged.iter().map(|damage| &damage.part).filter(|part| part.path.exists());
        parts.map(|part| Ok(writer.quarantine(part)?.display().to_string())).collect()
    });
    match moved {
        Err(error) if error.kind() == Kind::Io => {
            monitor.warn(&format!("damaged parts stay where they are: {}", error.with_causes()));
            Ok(None)
        }
        moved => moved.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Samples;
    use super::super::test_data::{rows, spec};
    use super::*;
    use crate::io::fs::{Change, Watcher, list, watch};
    use crate::monitor::{Collected, Silent};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A file system that is mounted read-only.
    struct ReadOnly;

    impl Watcher for ReadOnly {
        fn before(&self, _: &Change) -> std::io::Result<()> {
            Err(std::io::ErrorKind::ReadOnlyFilesystem.into())
        }
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_verified_and_nothing_is_moved() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = CacheWriter::open_or_create(dir.path(), &spec()).unwrap();
        let part = writer.append(rows(&["a"]), BTreeMap::new()).unwrap();
        let samples = Samples { root: "/in".into(), ..Samples::default() };
        writer.describe(&samples, &[]).unwrap();
        drop(writer);
        let read_only = watch(dir.path(), Arc::new(ReadOnly));
        let sound = verify(dir.path(), &VerifyConfig::default(), &Silent).unwrap();
        assert_eq!((sound.parts, sound.damaged.len(), sound.moved), (1, 0, false));
        let mut bytes = std::fs::read(&part.path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&part.path, &bytes).unwrap();
        let before = list(dir.path()).unwrap();
        let monitor = Collected::default();
        let damaged = verify(dir.path(), &VerifyConfig::default(), &monitor).unwrap();
        assert_eq!((damaged.damaged, damaged.moved), (vec![part.path.display().to_string()], false));
        assert!(part.path.exists() && list(dir.path()).unwrap() == before);
        let warnings = monitor.messages().warnings.join("\n");
        assert!(warnings.contains("damaged parts stay where they are"), "{warnings}");
        drop(read_only);
        assert!(verify(dir.path(), &VerifyConfig::default(), &Silent).unwrap().moved && !part.path.exists());
    }
}
