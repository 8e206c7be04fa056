//! Opens a cache by its URL: copies it into a folder, works there as on any other cache, and writes back what has changed.
//!
//! ```text
//! FOLDER/cache/        the copy
//! FOLDER/objects.json  what the objects were when they were copied
//! FOLDER/lock          held while objects are copied, and by a writer until its changes are written back
//! ```

mod files;
mod pull;
mod push;
mod state;

use super::layout::SPEC;
use super::plan::STAGING;
use super::reader::no_such_cache;
use crate::error::Result;
use crate::io::digest::sha256;
use crate::io::fs::{self, Lock};
use crate::io::store::{Location, Store};
use crate::monitor::Monitor;
use state::State;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// The variable that names a folder in which copies are kept.
const KEEP_VARIABLE: &str = "HEADSTART_COPIES";

/// What is done with a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// It is read. There must be one.
    Read,
    /// It is changed. There must be one.
    Change,
    /// It is changed, or created where there is none.
    Create,
    /// It is changed, or created where there is none, and no features are read: the parts in the copy have the keys alone. They must
    /// stay as they are.
    CreateWithKeys,
}

impl Access {
    /// Whether there must be a cache.
    fn needs_cache(self) -> bool {
        matches!(self, Self::Read | Self::Change)
    }
}

/// Calls `work` with the folder of a cache. For the path of a folder, or a URL `file://`, that is the cache itself. For another URL
/// it is a copy; what `work` changes in it is written back, also when `work` fails.
///
/// The copy is removed at the end, unless the variable `HEADSTART_COPIES` names a folder to keep copies in. Objects that have not
/// changed since are then not read again. Copies with the keys alone are kept beside whole ones.
///
/// # Errors
/// Those of `work`; [`Kind::Usage`] for a URL that is not understood, or in a program without the feature `cloud`; [`Kind::Cache`]
/// when there is no cache; [`Kind::Locked`] when another process changes the same copy, or has changed the same objects;
/// [`Kind::Io`] when objects cannot be read or written. Where changes cannot be written back, the copy is kept, and the remedy says
/// where.
///
/// [`Kind::Usage`]: crate::error::Kind::Usage
/// [`Kind::Cache`]: crate::error::Kind::Cache
/// [`Kind::Locked`]: crate::error::Kind::Locked
/// [`Kind::Io`]: crate::error::Kind::Io
pub fn with_local_copy<T>(
    cache: &Path,
    access: Access,
    monitor: &dyn Monitor,
    work: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    if let Location::Folder(folder) = Location::parse(cache)? {
        return work(&folder);
    }
    let mut copy = LocalCopy::open(cache, access)?;
    copy.pull(monitor)?;
    if access.needs_cache() {
        copy.require_cache(cache)?;
    }
    if access == Access::Read {
        copy.lock = None;
        return work(&copy.cache);
    }
    let result = work(&copy.cache);
    match (result, copy.push_or_keep(monitor)) {
        (Ok(value), written) => written.map(|()| value),
        (Err(error), written) => {
            written.unwrap_or_else(|e| monitor.warn(&e.with_causes()));
            Err(error)
        }
    }
}

/// A cache in object storage with its copy.
struct LocalCopy {
    store: Store,
    /// The folder of the copy and of what belongs to it.
    folder: PathBuf,
    cache: PathBuf,
    state: State,
    is_kept: bool,
    /// Whether parts are copied without their features.
    has_only_keys: bool,
    lock: Option<Lock>,
}

impl LocalCopy {
    fn open(url: &Path, access: Access) -> Result<Self> {
        let store = Store::open(url, STAGING)?;
        let kept = std::env::var_os(KEEP_VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let is_kept = kept.is_some();
        let text = url.to_string_lossy();
        let text = text.trim_end_matches('/');
        let last = text.rsplit('/').next().unwrap_or_default();
        let has_only_keys = access == Access::CreateWithKeys;
        let folder = match kept {
            Some(folder) => {
                let keys = if has_only_keys { "-keys" } else { "" };
                folder.join(format!("{last}-{}{keys}", sha256(text.as_bytes()).short()))
            }
            None => {
                let random = RandomState::new().build_hasher().finish();
                std::env::temp_dir().join(format!("headstart-{random:016x}-{last}"))
            }
        };
        let mut copy = Self::at(store, folder, is_kept)?;
        copy.has_only_keys = has_only_keys;
        Ok(copy)
    }

    /// The copy in `folder`, as far as there is one.
    fn at(store: Store, folder: PathBuf, is_kept: bool) -> Result<Self> {
        let cache = folder.join("cache");
        fs::create_folder(&cache)?;
        let lock = Some(Lock::take(&folder.join("lock"))?);
        let state = State::read(&folder);
        Ok(Self { store, folder, cache, state, is_kept, has_only_keys: false, lock })
    }

    /// Writes back what was changed. Where that fails the copy is kept, and the error says where: what was computed is not lost.
    fn push_or_keep(&mut self, monitor: &dyn Monitor) -> Result<()> {
        self.push(monitor).map_err(|error| {
            self.is_kept = true;
            let remedy = error.remedy().map_or(String::new(), |remedy| format!("{remedy}; "));
            error.help(format!("{remedy}what was to be written is kept in {}", self.cache.display()))
        })
    }

    /// # Errors
    /// [`Kind::Cache`](crate::error::Kind::Cache) when there is no cache.
    fn require_cache(&self, url: &Path) -> Result<()> {
        // That of the cache, or those of the caches of several layers in it.
        let is_spec = |name: &str| name.split_once('/').map_or(name, |(_, name)| name) == SPEC;
        match self.state.names().any(|name| is_spec(name)) {
            true => Ok(()),
            false => Err(no_such_cache(url)),
        }
    }
}

impl Drop for LocalCopy {
    fn drop(&mut self) {
        if !self.is_kept {
            // Where it cannot be removed, it is in the system's folder for temporary files.
            let _ = fs::remove(&self.folder);
        }
    }
}

#[cfg(feature = "cloud")]
#[cfg(test)]
mod tests {
    use super::super::compact::{CompactConfig, compact};
    use super::super::test_data::{rows, spec};
    use super::super::writer::CacheWriter;
    use super::super::{CacheDigest, FeatureCache, digest};
    use super::*;
    use crate::error::Kind;
    use crate::monitor::Silent;
    use std::collections::BTreeMap;

    /// Pulls, calls `work` with the copy, and pushes.
    fn change(store: &Store, folder: &Path, work: impl FnOnce(&Path)) -> Result<()> {
        let mut copy = LocalCopy::at(store.clone(), folder.to_path_buf(), true).unwrap();
        copy.pull(&Silent).unwrap();
        work(&copy.cache);
        copy.push_or_keep(&Silent)
    }

    fn append(cache: &Path, names: &[&str]) {
        let mut writer = CacheWriter::open_or_create(cache, &spec()).unwrap();
        writer.append(rows(names), BTreeMap::new()).unwrap();
    }

    fn digest_of(store: &Store, folder: &Path) -> CacheDigest {
        let mut copy = LocalCopy::at(store.clone(), folder.to_path_buf(), false).unwrap();
        copy.pull(&Silent).unwrap();
        digest(&copy.cache, &Silent).unwrap()
    }

    fn first_part(cache: &Path) -> PathBuf {
        FeatureCache::open(cache).unwrap().parts().unwrap().remove(0).path
    }

    #[test]
    fn what_is_changed_in_a_copy_is_written_back_and_only_that_is_read_again() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let [kept, other, reference] = ["kept", "other", "reference"].map(|name| dir.path().join(name));
        change(&store, &kept, |cache| append(cache, &["a", "b"])).unwrap();
        change(&store, &other, |cache| append(cache, &["c"])).unwrap();
        append(&reference, &["a", "b", "c"]);
        let expected = digest(&reference, &Silent).unwrap();
        assert_eq!(digest_of(&store, &dir.path().join("new")), expected);
        assert!(!dir.path().join("new").exists(), "a temporary copy is removed");
        // What is as it was stays: here a part with other bytes, of the same name and size.
        let part = first_part(&kept.join("cache"));
        let bytes = vec![0; std::fs::metadata(&part).unwrap().len() as usize];
        std::fs::write(&part, &bytes).unwrap();
        change(&store, &kept, |_| assert_eq!(std::fs::read(&part).unwrap(), bytes)).unwrap();
        let compacted = change(&store, &other, |cache| {
            compact(cache, &CompactConfig::default(), &Silent).unwrap();
        });
        compacted.unwrap();
        assert_eq!(store.list("features", "").unwrap().len(), 1);
        change(&store, &kept, |cache| assert_eq!(digest(cache, &Silent).unwrap(), expected)).unwrap();
        let names: Vec<String> = store.objects("").unwrap().into_iter().map(|object| object.name).collect();
        assert!(names.iter().all(|name| !name.contains("lock") && name != "objects.json"), "{names:?}");
    }

    #[test]
    fn a_copy_with_the_keys_alone_has_no_features_and_leaves_parts_as_they_are() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        change(&store, &dir.path().join("one"), |cache| append(cache, &["a", "b"])).unwrap();
        let of_parts = || store.objects("features").unwrap();
        let before = of_parts();
        let mut copy = LocalCopy::at(store.clone(), dir.path().join("keys"), true).unwrap();
        copy.has_only_keys = true;
        copy.pull(&Silent).unwrap();
        let cache = FeatureCache::open(&copy.cache).unwrap();
        assert_eq!(cache.keys().unwrap(), rows(&["a", "b"]).keys.into_iter().collect());
        assert!(cache.parts().unwrap()[0].names_spec().unwrap());
        assert_eq!(cache.rows(|_| true).unwrap_err().kind(), Kind::Cache, "it has no features");
        append(&copy.cache, &["c"]);
        copy.push(&Silent).unwrap();
        assert_eq!(of_parts().len(), 2);
        assert_eq!(of_parts()[0], before[0]);
        // One whose footer cannot be read is copied as it is, and reported as in any cache.
        store.put(&before[0].name, b"damaged").unwrap();
        copy.pull(&Silent).unwrap();
        assert_eq!(std::fs::read(copy.cache.join(&before[0].name)).unwrap(), b"damaged");
        let error = cache.keys().unwrap_err();
        assert!(error.to_string().contains("do not match the digest in its name"), "{error}");
    }

    #[test]
    fn what_another_process_has_changed_is_not_replaced() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        change(&store, &dir.path().join("one"), |cache| append(cache, &["a"])).unwrap();
        let changed = change(&store, &dir.path().join("two"), |cache| {
            std::fs::write(cache.join("spec.json"), "here").unwrap();
            store.put("spec.json", b"there").unwrap();
        });
        let error = changed.unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        assert!(
            error.to_string().starts_with("s3://bucket/some/where/spec.json: another process"),
            "{error}"
        );
        let kept = format!("what was to be written is kept in {}", dir.path().join("two/cache").display());
        assert!(error.remedy().unwrap().ends_with(&kept), "{error:?}");
        assert_eq!(store.read("spec.json").unwrap(), b"there");
    }

    #[test]
    fn a_copy_has_one_writer_and_a_url_without_a_cache_none_to_read() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let open = || LocalCopy::at(store.clone(), dir.path().join("copy"), true);
        let mut first = open().unwrap();
        assert_eq!(open().err().unwrap().kind(), Kind::Locked);
        first.pull(&Silent).unwrap();
        let error = first.require_cache(store.root()).unwrap_err();
        assert_eq!(error.to_string(), "s3://bucket/some/where: no such cache");
    }
}
