//! The files of a folder as they were at one moment, although the whole folder may be replaced while they are read.

use super::files::list;
use super::identity::HeldFolder;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Open files of one folder.
///
/// All of them are opened before the first is read, while the folder was at its path from start to end. They therefore
/// belong together, and stay readable after the folder was replaced and removed.
#[derive(Debug)]
pub struct FolderSnapshot {
    folder: PathBuf,
    files: BTreeMap<String, std::io::Result<Mutex<File>>>,
}

impl FolderSnapshot {
    /// Opens those files of `folder` whose name `is_wanted`, and starts again when the folder is replaced meanwhile.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when the folder does not exist or cannot be listed.
    pub fn open(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Self> {
        loop {
            let held = HeldFolder::open(folder)?;
            let entries = list(folder);
            let open = |path: &Path| File::open(path).map(Mutex::new);
            let files = entries.map(|entries| {
                let wanted = entries.into_iter().filter(|entry| is_wanted(&entry.name));
                wanted.map(|entry| (entry.name, open(&entry.path))).collect()
            });
            if held.is_at(folder) {
                return Ok(Self { folder: folder.to_path_buf(), files: files? });
            }
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of the files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether the folder had a file of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Path of a file in the folder, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads a file from its start.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when the folder had no such file, or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let fail = |e| Error::io("read", &self.path(name), e);
        let file = match self.files.get(name) {
            None => return Err(fail(std::io::ErrorKind::NotFound.into())),
            // An error cannot be cloned; this keeps its number and so its text.
            Some(Err(e)) => {
                let again = e.raw_os_error().map_or(e.kind().into(), std::io::Error::from_raw_os_error);
                return Err(fail(again));
            }
            Some(Ok(file)) => file,
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(fail)?;
        Ok(bytes)
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::super::write_folder;
    use super::*;

    fn replace(folder: &Path, content: &str) {
        let fill = |new: &Path| {
            ["a", "b"].iter().for_each(|name| std::fs::write(new.join(name), content).unwrap());
            Ok(())
        };
        write_folder(folder, fill).unwrap();
    }

    #[test]
    fn files_stay_readable_after_their_folder_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        assert!(FolderSnapshot::open(&folder, |_| true).is_err());
        replace(&folder, "old");
        let old = FolderSnapshot::open(&folder, |name| name != "c").unwrap();
        assert_eq!(old.read("a").unwrap(), b"old");
        replace(&folder, "new");
        assert_eq!([old.read("a").unwrap(), old.read("b").unwrap()], [b"old", b"old"]);
        let missing = old.read("c").unwrap_err();
        assert!(missing.with_causes().contains("folder/c"), "{missing}");
        let new = FolderSnapshot::open(&folder, |_| true).unwrap();
        assert_eq!(new.read("b").unwrap(), b"new");
    }

    #[test]
    fn files_of_two_folders_are_never_mixed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        replace(&folder, "0");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (1..200).for_each(|i| replace(&folder, &i.to_string())));
            let mut reads = 0;
            while !writer.is_finished() || reads < 10 {
                let files = FolderSnapshot::open(&folder, |_| true).unwrap();
                assert_eq!(files.read("a").unwrap(), files.read("b").unwrap());
                reads += 1;
            }
        });
    }
}
