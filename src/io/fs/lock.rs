//! Exclusive locks between processes, which the operating system releases when the holder dies.

use super::path::parent;
use crate::error::{Error, Kind, Result};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between two attempts to get a lock.
const POLL: Duration = Duration::from_millis(50);

/// An exclusive lock on a file or folder, held until dropped or until the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks an existing folder without creating a file in it. Returns `None` where the system has no such locks, as on
    /// Windows and some network file systems. Waits up to two seconds for a process that was just killed.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process holds the lock, [`Kind::Io`] when the folder cannot be opened.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>> {
        if cfg!(windows) {
            return Ok(None);
        }
        let opened = File::open(folder).map_err(|e| Error::io("open", folder, e))?;
        match Self::acquire(opened, folder) {
            Err(e) if e.kind() == Kind::Io => Ok(None),
            held => held.map(Some),
        }
    }

    /// Locks the file `path`, which is created when missing. Waits up to two seconds for a process that was just
    /// killed.
    ///
    /// # Errors
    /// [`Kind::Locked`] when another process holds the lock, [`Kind::Io`] when the file cannot be opened.
    pub fn take(path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        Self::acquire(file.map_err(|e| Error::io("open the lock", path, e))?, parent(path))
    }

    /// Locks the file `path`, which is created when missing, and waits as long as another process holds it. Calls
    /// `waiting` every 50 ms with the time since the start; it returns whether to go on.
    ///
    /// # Errors
    /// [`Kind::Interrupted`] when `waiting` returns false, [`Kind::Io`] when the file cannot be opened.
    pub fn wait(path: &Path, mut waiting: impl FnMut(Duration) -> bool) -> Result<Self> {
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|e| Error::io("open the lock", path, e))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", parent(path), e)),
                Err(TryLockError::WouldBlock) if waiting(started.elapsed()) => std::thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    let message = "interrupted while waiting for another process";
                    return Err(Error::new(Kind::Interrupted, message).at(parent(path)));
                }
            }
        }
    }

    fn acquire(file: File, folder: &Path) -> Result<Self> {
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if tries < 40 => std::thread::sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(Kind::Locked, "another process is writing here")
                        .at(folder)
                        .help("wait until it has finished, or use another folder"));
                }
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", folder, e)),
            }
            tries += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_exclusive_and_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = Lock::take(&path).unwrap();
        assert_eq!(Lock::take(&path).unwrap_err().kind(), Kind::Locked);
        drop(held);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_is_waited_for_until_the_caller_stops() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let mut held = Some(Lock::take(&path).unwrap());
        assert_eq!(Lock::wait(&path, |_| false).unwrap_err().kind(), Kind::Interrupted);
        Lock::wait(&path, |_| held.take().is_some()).unwrap();
    }
}
