//! One writer at a time: locks that the operating system takes back when their holder dies.

use super::parent;
use crate::error::{Error, Kind, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// An exclusive lock on a file, held until dropped; the operating system releases it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a folder that exists, leaving nothing in it; `None` where the system has no such locks, as on
    /// Windows and some network file systems.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process holds it; [`Kind::Io`] when the folder cannot be opened.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>> {
        if cfg!(windows) {
            return Ok(None);
        }
        let opened = File::open(folder).map_err(|e| Error::io("open", folder, e))?;
        match Self::hold(opened, folder) {
            Err(e) if e.kind() == Kind::Io => Ok(None),
            held => held.map(Some),
        }
    }

    /// Takes the lock on `path` (created when missing). A holder that was just killed may take a moment to go, so this
    /// tries for two seconds.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process holds it; [`Kind::Io`] when the file cannot be opened.
    pub fn take(path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        Self::hold(file.map_err(|e| Error::io("open the lock", path, e))?, parent(path))
    }

    fn hold(file: File, folder: &Path) -> Result<Self> {
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if tries < 40 => std::thread::sleep(Duration::from_millis(50)),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(Kind::Locked, "another headstart is writing here")
                        .at(folder)
                        .help("wait until it is done, or use another folder"));
                }
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", folder, e)),
            }
            tries += 1;
        }
    }
}
