//! Named objects in a folder or in object storage, written whole: what several machines share while they work on one cache.

mod facts;
mod folder;
mod location;
#[cfg(feature = "cloud")]
mod remote;
#[cfg(not(feature = "cloud"))]
#[path = "without_cloud.rs"]
mod remote;
#[cfg(feature = "cloud")]
mod transport;
#[cfg(feature = "cloud")]
mod waiting;

pub(crate) use facts::ObjectFacts;
pub(crate) use location::{Location, is_object_storage, is_url};

use crate::error::{Error, Result};
use folder::Folder;
use remote::Remote;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Names of objects are relative, with `/` between their parts.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
    place: Place,
}

/// Where the objects are.
#[derive(Debug, Clone)]
enum Place {
    Folder(Folder),
    Remote(Remote),
}

impl Store {
    /// The objects in the folder `root`. Unfinished ones stand in its folder `staging`, which whoever empties it may do at any
    /// time: the write then fails.
    pub fn new(root: &Path, staging: &'static str) -> Self {
        Self { root: root.to_path_buf(), place: Place::Folder(Folder::new(root, staging)) }
    }

    /// The objects at `location`, a folder or a URL. A folder has unfinished objects as in [`Store::new`].
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a URL that is not understood, or in a program without the feature `cloud`.
    pub fn open(location: &Path, staging: &'static str) -> Result<Self> {
        match Location::parse(location)? {
            Location::Folder(folder) => Ok(Self::new(&folder, staging)),
            Location::Url(url) => {
                Ok(Self { root: location.to_path_buf(), place: Place::Remote(Remote::open(&url)?) })
            }
        }
    }

    /// Whether the objects are in object storage.
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote(_))
    }

    /// The folder, or the URL as it was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where an object is, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it is not there or cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let missing = || Error::io("read", &self.path(name), std::io::ErrorKind::NotFound.into());
        self.read_if_any(name)?.ok_or_else(missing)
    }

    /// Reads an object; `None` when it is not there.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be read.
    pub fn read_if_any(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match &self.place {
            Place::Folder(folder) => folder.read_if_any(name),
            Place::Remote(remote) => remote.read_if_any(name),
        }
    }

    /// Reads an object in object storage with the time of its last change, in nanoseconds since 1970; `None` when it is not there.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be read.
    pub fn fetch(&self, name: &str) -> Result<Option<(Vec<u8>, i64)>> {
        match &self.place {
            Place::Folder(_) => Ok(None),
            Place::Remote(remote) => remote.fetch(name),
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when object storage does not say.
    pub fn exists(&self, name: &str) -> Result<bool> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.exists(name)),
            Place::Remote(remote) => remote.exists(name),
        }
    }

    /// Writes an object whose name says what its bytes are, if it is not there. One with other bytes is damaged, and replaced.
    /// Returns whether it was written.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be written.
    pub fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        match &self.place {
            Place::Folder(folder) => folder.put_if_absent(name, bytes),
            Place::Remote(remote) => remote.put_if_absent(name, bytes),
        }
    }

    /// Writes or replaces an object.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => folder.put(name, bytes),
            Place::Remote(remote) => remote.put(name, bytes),
        }
    }

    /// Lists the objects directly in `folder` whose own names begin with `prefix` and go on after it, sorted, without the folder.
    /// Empty where there is no such folder.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be listed.
    pub fn list(&self, folder: &str, prefix: &str) -> Result<Vec<String>> {
        match &self.place {
            Place::Folder(place) => place.list(folder, prefix),
            Place::Remote(remote) => remote.list(folder, prefix),
        }
    }

    /// Removes an object or all objects below it; nothing when there is none.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => folder.remove(name),
            Place::Remote(remote) => {
                let below = remote.facts(name)?.into_iter().map(|object| object.name);
                remote.remove_all(below.chain([name.to_string()]).collect())
            }
        }
    }

    /// Gives an object another name.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be renamed.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => folder.rename(from, to),
            Place::Remote(remote) => {
                remote.put(to, &self.read(from)?)?;
                remote.remove_all(vec![from.to_string()])
            }
        }
    }

    /// Lists all objects in object storage below `folder`, sorted by name; none of a folder.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when they cannot be listed.
    pub fn objects(&self, folder: &str) -> Result<Vec<ObjectFacts>> {
        match &self.place {
            Place::Folder(_) => Ok(Vec::new()),
            Place::Remote(remote) => remote.facts(folder),
        }
    }

    /// Reads an object in object storage piece by piece.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it is not the one of `facts` any more, or cannot be read or written.
    pub fn copy_out(&self, facts: &ObjectFacts, out: &mut dyn Write) -> Result<()> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Remote(remote) => remote.copy_out(facts, out),
        }
    }

    /// Reads the bytes `range` of an object in object storage; nothing of a folder.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it is not the one of `facts` any more, or cannot be read.
    pub fn read_range(&self, facts: &ObjectFacts, range: Range<u64>) -> Result<Vec<u8>> {
        match &self.place {
            Place::Folder(_) => Ok(Vec::new()),
            Place::Remote(remote) => remote.read_range(facts, range),
        }
    }

    /// Writes the file at `path` as an object to object storage, piece by piece.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be read or written.
    pub fn copy_in(&self, name: &str, path: &Path) -> Result<()> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Remote(remote) => remote.copy_in(name, path),
        }
    }

    /// Removes objects in object storage, in any order.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when one cannot be removed.
    pub fn remove_all(&self, names: Vec<String>) -> Result<()> {
        match &self.place {
            Place::Folder(_) => names.iter().try_for_each(|name| self.remove(name)),
            Place::Remote(remote) => remote.remove_all(names),
        }
    }
}

#[cfg(all(test, feature = "cloud"))]
impl Store {
    /// Objects in memory, below a URL that names none.
    pub fn in_memory() -> Self {
        let root = PathBuf::from("s3://bucket/some/where");
        let Ok(Location::Url(url)) = Location::parse(&root) else { unreachable!("a URL") };
        Self { root, place: Place::Remote(Remote::in_memory(&url)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// Whatever the place, the same calls give the same results.
    fn check_place(store: &Store) {
        assert_eq!(store.read_if_any("a/b").unwrap(), None);
        assert_eq!(store.read("a/b").unwrap_err().kind(), Kind::Io);
        assert!(!store.exists("a/b").unwrap());
        assert!(store.put_if_absent("a/b", b"content").unwrap());
        assert!(!store.put_if_absent("a/b", b"content").unwrap());
        store.put("a/b", b"contemt").unwrap();
        assert!(store.put_if_absent("a/b", b"content").unwrap(), "one that is damaged");
        assert_eq!(store.read("a/b").unwrap(), b"content");
        assert!(store.exists("a/b").unwrap());
        store.put("a/c", b"1").unwrap();
        store.put("a/c", b"2").unwrap();
        store.put("a/cd", b"3").unwrap();
        store.put("a/ca/e", b"3").unwrap();
        let list = |folder: &str, prefix: &str| {
            let mut names = store.list(folder, prefix).unwrap();
            // A folder is an object of its own where there are folders.
            names.retain(|name| name != "ca");
            names
        };
        assert_eq!(list("a", ""), ["b", "c", "cd"]);
        assert_eq!(list("a", "c"), ["cd"]);
        assert_eq!(list("unfinished", ""), Vec::<String>::new());
        store.rename("a/c", "d/c").unwrap();
        store.remove("a").unwrap();
        store.remove("a").unwrap();
        assert_eq!(list("a", ""), Vec::<String>::new());
        assert_eq!(store.read("d/c").unwrap(), b"2");
    }

    #[test]
    fn an_object_is_written_once_and_a_damaged_one_again() {
        let dir = tempfile::tempdir().unwrap();
        check_place(&Store::new(dir.path(), "unfinished"));
        let url = format!("file://{}", dir.path().join("other").display());
        check_place(&Store::open(Path::new(&url), "unfinished").unwrap());
        #[cfg(feature = "cloud")]
        check_place(&Store::in_memory());
    }

    #[cfg(not(feature = "cloud"))]
    #[test]
    fn a_url_of_object_storage_needs_the_feature() {
        let error = Store::open(Path::new("s3://bucket/a"), "").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.remedy().unwrap().contains("feature cloud"), "{error:?}");
    }

    #[cfg(feature = "cloud")]
    #[test]
    fn large_objects_are_copied_in_pieces() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let bytes: Vec<u8> = (0..(80 << 20)).map(|i: u32| (i / 1000) as u8).collect();
        let file = dir.path().join("file");
        std::fs::write(&file, &bytes).unwrap();
        store.copy_in("large", &file).unwrap();
        store.put("small", b"1").unwrap();
        let objects = store.objects("").unwrap();
        assert_eq!(
            objects.iter().map(|o| (o.name.as_str(), o.bytes)).collect::<Vec<_>>(),
            [("large", 80 << 20), ("small", 1)]
        );
        let mut copy = Vec::new();
        store.copy_out(&objects[0], &mut copy).unwrap();
        assert!(copy == bytes);
        store.put("large", b"another").unwrap();
        let error = store.copy_out(&objects[0], &mut copy).unwrap_err();
        assert!(error.to_string().contains("it was changed while it was being read"), "{error}");
    }

    #[test]
    fn writers_at_the_same_time_leave_one_whole_object() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "unfinished");
        let bytes = vec![7; 1 << 20];
        let written: usize = std::thread::scope(|scope| {
            let put = || usize::from(store.put_if_absent("a/b", &bytes).unwrap());
            let writers: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(written, 1);
        assert_eq!(store.read("a/b").unwrap(), bytes);
        assert_eq!(std::fs::read_dir(dir.path().join("unfinished")).unwrap().count(), 0);
    }
}
