//! A temporary folder for downloads and unfinished installs.

use crate::error::{Error, Kind, Result};
use crate::io::fs::{self, Lock, TEMPORARY_PREFIX};
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time after which waiting for another process is reported.
const PATIENCE: Duration = Duration::from_secs(3);

/// A temporary folder that is removed when dropped. Only one can exist per parent folder.
#[derive(Debug)]
pub struct StagingFolder {
    path: PathBuf,
    _lock: Lock,
}

impl StagingFolder {
    /// Creates the folder in `parent`, which is created when missing. Waits while another process has one there, which may
    /// be installing the same: look again afterwards. Removes what killed processes left in `parent`.
    ///
    /// # Errors
    /// [`Kind::Interrupted`] when the monitor asks to stop, [`Kind::Io`] when it cannot be created.
    pub fn new(parent: &Path, monitor: &dyn Monitor) -> Result<Self> {
        fs::create_folder(parent)?;
        let parent = std::fs::canonicalize(parent).map_err(|e| Error::io("find", parent, e))?;
        let mut is_reported = false;
        let lock = Lock::wait(&parent.join(".lock"), |waited| {
            if waited > PATIENCE && !std::mem::replace(&mut is_reported, true) {
                monitor.note(&format!("waiting for another process that installs into {}", parent.display()));
            }
            !monitor.is_interrupted()
        })?;
        fs::remove_leftovers(&parent)?;
        let path = parent.join(format!("{TEMPORARY_PREFIX}{}-install", std::process::id()));
        fs::create_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that nobody asked to stop, before what was built here is moved to its place.
    ///
    /// # Errors
    /// [`Kind::Interrupted`] when the monitor asks to stop.
    pub fn require_uninterrupted(&self, monitor: &dyn Monitor) -> Result<()> {
        match monitor.is_interrupted() {
            true => Err(Error::new(Kind::Interrupted, "interrupted before the end of the installation")
                .help("nothing was installed; the next attempt starts over")),
            false => Ok(()),
        }
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        // A killed client may create one more file while its folder is being removed.
        let _ = (0..5).find(|_| fs::remove(&self.path).is_ok());
    }
}
