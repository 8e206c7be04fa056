//! Basic operations on files and folders, with errors that name the path.

use super::change::Change;
use super::path::{TEMPORARY_PREFIX, obstacle, parent};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderEntry {
    /// File name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// The folder's path with the name appended.
    pub path: PathBuf,
}

/// Reads a whole file.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the file cannot be opened or read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// Lists the entries of a folder, sorted by name bytewise.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the folder cannot be listed.
pub fn list(folder: &Path) -> Result<Vec<FolderEntry>> {
    let fail = |e| Error::io("list the folder", folder, e);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        entries.push(FolderEntry { name, path });
    }
    entries.sort();
    Ok(entries)
}

/// Creates a folder and its parents durably. An existing folder is left as it is.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn create_folder(folder: &Path) -> Result<()> {
    let fail = |e| Error::io("create the folder", folder, e);
    if folder.is_dir() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(obstacle) = obstacle(folder) {
        return Err(obstacle);
    }
    create_folder(parent(folder))?;
    match Change::CreateFolder(folder).apply() {
        // Another process has created it in the meantime.
        Err(_) if folder.is_dir() => {}
        other => other.map_err(fail)?,
    }
    sync_folder(parent(folder))
}

/// Renames a file durably. Both paths must be on one file system.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    Change::Rename(from, to).apply().map_err(|e| Error::io("move", from, e))?;
    // The new name first: a power loss between the two must not leave the file without a name.
    sync_folder(parent(to))?;
    if parent(from) == parent(to) { Ok(()) } else { sync_folder(parent(from)) }
}

/// Gives the file `from` the second name `to`, which is durable after [`sync_folder`].
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn hard_link(from: &Path, to: &Path) -> Result<()> {
    Change::HardLink(from, to).apply().map_err(|e| Error::io("make the hard link", to, e))
}

/// Removes a file, or a folder with its contents. A link to a folder is removed, not followed.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn remove(path: &Path) -> Result<()> {
    let change = if path.is_dir() && !path.is_symlink() {
        Change::RemoveFolder(path)
    } else {
        Change::RemoveFile(path)
    };
    change.apply().map_err(|e| Error::io("remove", path, e))
}

/// Removes all unfinished files that killed processes left in `folder`. The caller must make sure that no other process
/// writes to the folder.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the folder cannot be listed or an entry cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in list(folder)?.iter().filter(|entry| entry.name.starts_with(TEMPORARY_PREFIX)) {
        remove(&entry.path)?;
    }
    Ok(())
}

/// Writes a file, and makes its folder in one that is there. Both are durable after [`sync_file`], and [`sync_folder`] of both
/// folders: many files are written faster when they are synced after the last.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = parent(path);
    if !folder.is_dir() {
        Change::CreateFolder(folder).apply().map_err(|e| Error::io("create", folder, e))?;
    }
    Change::Write(path, bytes).apply().map_err(|e| Error::io("write", path, e))
}

/// Appends to a file, which is durable after [`sync_file`].
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    Change::Append(path, bytes).apply().map_err(|e| Error::io("write", path, e))
}

/// Makes the bytes of a file durable.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn sync_file(path: &Path) -> Result<()> {
    Change::SyncFile(path).apply().map_err(|e| Error::io("write", path, e))
}

/// Makes the names in a folder durable.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<()> {
    Change::SyncFolder(folder).apply().map_err(|e| Error::io("sync the folder", folder, e))
}
