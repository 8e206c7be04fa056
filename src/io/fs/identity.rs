//! What distinguishes a folder or a file from another one that had the same path before.

use crate::error::{Error, Result};
use std::fs::Metadata;
use std::path::Path;

/// What distinguishes a file from others of the same path, size and modification time. Programs can set a modification
/// time as they like, but none of these. All are 0 where the system does not have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileIdentity {
    /// Number of the device that the file is on.
    pub device: u64,
    /// Number of the file on its device.
    pub inode: u64,
    /// Time of the latest change to content, name or attributes, in nanoseconds since 1970.
    pub changed_ns: i64,
}

impl FileIdentity {
    /// Takes the identity from the metadata of a file.
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let changed_ns =
                metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
            Self { device: metadata.dev(), inode: metadata.ino(), changed_ns }
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Self::default()
        }
    }
}

/// A folder that is held open. While it is, no other folder has its inode number.
#[derive(Debug)]
pub struct HeldFolder {
    /// `None` on systems where files in a folder keep it from being swapped.
    #[cfg_attr(not(unix), allow(dead_code))]
    handle: Option<std::fs::File>,
}

impl HeldFolder {
    /// Opens the folder.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::error::Kind::Io) when there is no such folder, or it may not be opened.
    pub fn open(folder: &Path) -> Result<Self> {
        if cfg!(not(unix)) {
            return Ok(Self { handle: None });
        }
        let handle = std::fs::File::open(folder).map_err(|e| Error::io("open the folder", folder, e))?;
        Ok(Self { handle: Some(handle) })
    }

    /// Whether the folder at `path` is still this one.
    pub fn is_at(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
            let held = self.handle.as_ref().and_then(|handle| handle.metadata().ok()).map(id);
            held.is_some() && held == std::fs::metadata(path).ok().map(id)
        }
        #[cfg(not(unix))]
        {
            path.exists()
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::super::files::{create_folder, remove};
    use super::*;

    #[test]
    fn a_new_folder_at_the_same_path_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        create_folder(&folder).unwrap();
        let held = HeldFolder::open(&folder).unwrap();
        assert!(held.is_at(&folder));
        // A file system gives the number of a removed folder out again, unless the folder is held.
        for _ in 0..20 {
            remove(&folder).unwrap();
            assert!(!held.is_at(&folder));
            create_folder(&folder).unwrap();
            assert!(!held.is_at(&folder));
        }
        assert!(HeldFolder::open(&dir.path().join("none")).is_err());
    }
}
