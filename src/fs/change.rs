//! The changes of what is on disk, one system call each: nothing else in this project writes, renames or removes, but for
//! what goes into an installation's staging folder, and the lock files. Tests
//! watch them below a folder, to replay them as a power loss would or to make one of them fail.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

/// One change, as the operating system is asked for it.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A new folder, whose parent exists.
    CreateFolder(&'a Path),
    /// A file of these bytes, new or instead of what stood there; not durable yet.
    Write(&'a Path, &'a [u8]),
    /// The bytes of a file become durable.
    SyncFile(&'a Path),
    /// The names in a folder become durable.
    SyncFolder(&'a Path),
    /// Another name for what is at the first path; a file at the second goes.
    Rename(&'a Path, &'a Path),
    /// Two names trade places in one step.
    Exchange(&'a Path, &'a Path),
    /// A second name for a file.
    HardLink(&'a Path, &'a Path),
    /// A name goes, and the file with its last name.
    RemoveFile(&'a Path),
    /// A folder goes with all that is in it.
    RemoveFolder(&'a Path),
}

/// Sees changes before they are made.
pub trait Watcher: Send + Sync {
    /// Lets the change be made, or has it fail.
    ///
    /// # Errors
    /// What the caller shall be told instead.
    fn before(&self, change: &Change) -> io::Result<()>;
}

/// Ends the watching when dropped.
pub struct Watch(Arc<dyn Watcher>);

static WATCHERS: RwLock<Vec<(PathBuf, Arc<dyn Watcher>)>> = RwLock::new(Vec::new());
/// So that nobody pays for watchers who has none.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Shows all changes below `folder` to `watcher`, on every thread, until the result is dropped. For tests.
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
    /// What is changed; of two paths the first.
    pub fn path(&self) -> &Path {
        match self {
            Self::CreateFolder(path)
            | Self::Write(path, _)
            | Self::SyncFile(path)
            | Self::SyncFolder(path)
            | Self::Rename(path, _)
            | Self::Exchange(path, _)
            | Self::HardLink(path, _)
            | Self::RemoveFile(path)
            | Self::RemoveFolder(path) => path,
        }
    }

    /// Makes the change.
    ///
    /// # Errors
    /// Those of the operating system. [`io::ErrorKind::Unsupported`] for an exchange that the system cannot make in one
    /// step.
    pub(super) fn make(self) -> io::Result<()> {
        self.show()?;
        match self {
            Self::CreateFolder(path) => std::fs::create_dir(path),
            Self::Write(path, bytes) => File::create(path)?.write_all(bytes),
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

    fn show(&self) -> io::Result<()> {
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
        // Network file systems, lower layers of an overlay and old kernels cannot.
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
