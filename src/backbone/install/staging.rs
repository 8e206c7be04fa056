//! A temporary folder for downloads and unfinished installs.

use crate::error::{Error, Result};
use crate::io::fs::{self, Lock, TEMPORARY_PREFIX};
use std::path::{Path, PathBuf};

/// A temporary folder that is removed when dropped. Only one can exist per parent folder.
#[derive(Debug)]
pub struct StagingFolder {
    path: PathBuf,
    _lock: Lock,
}

impl StagingFolder {
    /// Creates the folder in `parent`, which is created when missing. Removes what killed processes left in `parent`.
    ///
    /// # Errors
    /// [`Kind::Locked`](crate::error::Kind::Locked) when another process has a staging folder there,
    /// [`Kind::Io`](crate::error::Kind::Io) when it cannot be created.
    pub fn new(parent: &Path) -> Result<Self> {
        fs::create_folder(parent)?;
        let parent = std::fs::canonicalize(parent).map_err(|e| Error::io("find", parent, e))?;
        let lock = Lock::take(&parent.join(".lock"))?;
        fs::remove_leftovers(&parent)?;
        let path = parent.join(format!("{TEMPORARY_PREFIX}{}-install", std::process::id()));
        fs::create_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        let _ = fs::remove(&self.path);
    }
}
