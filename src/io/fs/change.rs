//! The changes to the disk, one system call each. Everything in this project writes, renames and removes through them,
//! except archives in the staging folder of an installation, and lock files. Tests can watch the changes below
//! a folder, to replay a power loss or to make one of them fail.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

/// One change, which becomes one system call. The list is exhaustive: a [`Watcher`] must know every kind of change.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "a watcher must know every kind of change")]
pub enum Change<'a> {
    /// Creates a folder in an existing one.
    CreateFolder(&'a Path),
    /// Writes a file, new or replaced, which is not durable yet.
    Write(&'a Path, &'a [u8]),
    /// Appends to a file, which is not durable yet.
    Append(&'a Path, &'a [u8]),
    /// Makes the bytes of a file durable.
    SyncFile(&'a Path),
    /// Makes the names in a folder durable.
    SyncFolder(&'a Path),
    /// Renames the first path to the second; a file there is replaced.
    Rename(&'a Path, &'a Path),
    /// Swaps two names in one step.
    Exchange(&'a Path, &'a Path),
    /// Gives the file at the first path a second name.
    HardLink(&'a Path, &'a Path),
    /// Removes a name, and the file when it was its last name.
    RemoveFile(&'a Path),
    /// Removes a folder with its contents.
    RemoveFolder(&'a Path),
}

/// Sees each change before it is made.
pub trait Watcher: Send + Sync {
    /// Returns `Ok` to let the change be made, or the error with which it is to fail.
    ///
    /// # Errors
    /// The error that the caller of the change gets.
    fn before(&self, change: &Change) -> io::Result<()>;
}

/// Keeps a [`Watcher`] registered until it is dropped.
pub struct Watch(Arc<dyn Watcher>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

static WATCHERS: RwLock<Vec<(PathBuf, Arc<dyn Watcher>)>> = RwLock::new(Vec::new());
/// Number of watchers, so that changes cost nothing without any.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Shows all changes below `folder` on every thread to `watcher` until the result is dropped. For tests.
pub fn watch(folder: &Path, watcher: Arc<dyn Watcher>) -> Watch {
    let mut watchers = WATCHERS.write().unwrap_or_else(|e| e.into_inner());
    watchers.push((folder.to_path_buf(), watcher.clone()));
    NUMBER.store(watchers.len(), Ordering::Release);
    Watch(watcher)
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = WATCHERS.write().unwrap_or_else(|e| e.into_inner());
        watchers.retain(|(_, watcher)| !Arc::ptr_eq(watcher, &self.0));
        NUMBER.store(watchers.len(), Ordering::Release);
    }
}

impl Change<'_> {
    /// The path that is changed; of two paths the first.
    pub fn path(&self) -> &Path {
        match self {
            Self::CreateFolder(path)
            | Self::Write(path, _)
            | Self::Append(path, _)
            | Self::SyncFile(path)
            | Self::SyncFolder(path)
            | Self::Rename(path, _)
            | Self::Exchange(path, _)
            | Self::HardLink(path, _)
            | Self::RemoveFile(path)
            | Self::RemoveFolder(path) => path,
        }
    }

    /// Makes the change, after showing it to the watchers.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::Unsupported`] for an exchange that the system cannot make in one
    /// step.
    pub(super) fn apply(self) -> io::Result<()> {
        self.show_to_watchers()?;
        match self {
            Self::CreateFolder(path) => std::fs::create_dir(path),
            Self::Write(path, bytes) => File::create(path)?.write_all(bytes),
            Self::Append(path, bytes) => File::options().append(true).open(path)?.write_all(bytes),
            Self::SyncFile(path) => File::options().write(true).open(path)?.sync_all(),
            // Windows has no fsync of a folder; its file system keeps renames in a journal.
            Self::SyncFolder(_) if cfg!(windows) => Ok(()),
            Self::SyncFolder(path) => File::open(path)?.sync_all(),
            Self::Rename(from, to) => std::fs::rename(from, to),
            Self::Exchange(a, b) => exchange(a, b),
            Self::HardLink(from, to) => std::fs::hard_link(from, to),
            Self::RemoveFile(path) => std::fs::remove_file(path),
            Self::RemoveFolder(path) => std::fs::remove_dir_all(path),
        }
    }

    fn show_to_watchers(&self) -> io::Result<()> {
        if NUMBER.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let watchers = WATCHERS.read().unwrap_or_else(|e| e.into_inner());
        let concerned = watchers.iter().filter(|(folder, _)| self.path().starts_with(folder));
        concerned.map(|(_, watcher)| watcher.clone()).try_for_each(|watcher| watcher.before(self))
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        // Network file systems, lower layers of an overlay, and old kernels cannot exchange.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::XDEV) => {
            Err(io::ErrorKind::Unsupported.into())
        }
        other => Ok(other?),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
