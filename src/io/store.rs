//! Named objects in a folder, written whole: what several machines share while they work on one cache.

use super::fs;
use crate::error::{Error, Kind, Result};
use std::path::{Path, PathBuf};

/// Names of objects are relative, with `/` between their parts.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
    /// Name of the folder for unfinished objects.
    staging: &'static str,
}

impl Store {
    /// The objects in the folder `root`. Unfinished ones stand in its folder `staging`, which whoever empties it may do at any
    /// time: the write then fails.
    pub fn new(root: &Path, staging: &'static str) -> Self {
        Self { root: root.to_path_buf(), staging }
    }

    /// Where an object is, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`Kind::Io`] when it is not there or cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        fs::read(&self.path(name))
    }

    /// Reads an object; `None` when it is not there.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be read.
    pub fn read_if_any(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", &self.path(name), e)),
        }
    }

    /// Writes an object whose name says what its bytes are, if it is not there. Returns whether it was written.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be written.
    pub fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let (path, staging) = (self.path(name), self.path(self.staging));
        path.parent().map_or(Ok(()), fs::create_folder)?;
        fs::create_folder(&staging)?;
        fs::write_if_absent(&path, bytes, &staging)
    }

    /// Writes or replaces an object.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        path.parent().map_or(Ok(()), fs::create_folder)?;
        fs::write_atomic(&path, bytes)
    }

    /// Lists the objects directly in `folder` whose own names begin with `prefix`, sorted, without the folder. Empty where there is
    /// no such folder.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be listed.
    pub fn list(&self, folder: &str, prefix: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let names = fs::list(&path)?.into_iter().map(|entry| entry.name);
        let is_object = |name: &String| name.starts_with(prefix) && !name.starts_with(fs::TEMPORARY_PREFIX);
        Ok(names.filter(is_object).collect())
    }

    /// Removes an object or all objects below it; nothing when there is none.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove(&path) {
            Err(e) if path.symlink_metadata().is_ok() || e.kind() != Kind::Io => Err(e),
            _ => Ok(()),
        }
    }

    /// Gives an object another name.
    ///
    /// # Errors
    /// [`Kind::Io`] when it cannot be renamed.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let target = self.path(to);
        target.parent().map_or(Ok(()), fs::create_folder)?;
        fs::rename(&self.path(from), &target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_once_and_a_damaged_one_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "unfinished");
        assert_eq!(store.read_if_any("a/b").unwrap(), None);
        assert!(store.put_if_absent("a/b", b"content").unwrap());
        assert!(!store.put_if_absent("a/b", b"content").unwrap());
        std::fs::write(store.path("a/b"), "contemt").unwrap();
        assert!(store.put_if_absent("a/b", b"content").unwrap());
        assert_eq!(store.read("a/b").unwrap(), b"content");
        store.put("a/c", b"1").unwrap();
        store.put("a/c", b"2").unwrap();
        assert_eq!(store.list("a", "").unwrap(), ["b", "c"]);
        assert_eq!(store.list("a", "c").unwrap(), ["c"]);
        assert_eq!(store.list("unfinished", "").unwrap(), Vec::<String>::new());
        store.rename("a/c", "d/c").unwrap();
        store.remove("a").unwrap();
        store.remove("a").unwrap();
        assert_eq!(store.list("a", "").unwrap(), Vec::<String>::new());
        assert_eq!(store.read("d/c").unwrap(), b"2");
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
