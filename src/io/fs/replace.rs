//! Replaces whole folders: builds the new one beside the old one and swaps the two.
//!
//! Not every file system swaps folders in one step, and an overlay cannot even rename a folder of its lower layer, such as
//! a run that was built into the image of a container: then the old folder is copied aside before it is removed.

use super::change::Change;
use super::files::{create_folder, list, read, remove, sync_folder};
use super::path::{parent, temporary_path};
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Moves a finished folder to `path`. A folder that is there is swapped out and then deleted.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when a step fails; `path` then holds the old folder or the new one, never a
/// mixture.
pub fn replace_folder(finished: &Path, path: &Path) -> Result<()> {
    let fail = |e| Error::io("replace the folder", path, e);
    sync_folder(finished)?;
    if path.exists() {
        let exchanged = match Change::Exchange(finished, path).apply() {
            Err(e) if e.kind() == ErrorKind::Unsupported => exchange_by_renames(finished, path),
            other => other,
        };
        match exchanged {
            Err(e) if e.kind() == ErrorKind::CrossesDevices => return replace_by_copy(finished, path),
            other => other.map_err(fail)?,
        }
        // Durable before the old folder is deleted: after a power loss one of the two must be there.
        sync_folder(parent(path))?;
        remove(finished)
    } else {
        Change::Rename(finished, path).apply().map_err(fail)?;
        sync_folder(parent(path))
    }
}

/// Builds a folder beside `path` with `fill`, and moves it there as [`replace_folder`] does.
///
/// # Errors
/// Those of `fill`, and [`Kind::Io`](crate::error::Kind::Io) when a step fails. The previous folder then stays.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let temporary = temporary_path(&std::path::absolute(path).map_err(|e| Error::io("find", path, e))?);
    if temporary.exists() {
        // Left by a killed process that had the same id.
        remove(&temporary)?;
    }
    create_folder(&temporary).map_err(|e| e.at(path))?;
    let written = fill(&temporary).and_then(|()| replace_folder(&temporary, path));
    if written.is_err() {
        let _ = remove(&temporary);
    }
    written
}

/// Swaps two folders in one step, which is durable after [`sync_folder`]. Returns false where the file system cannot do
/// that; nothing is changed then.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses.
pub fn exchange_folders(a: &Path, b: &Path) -> Result<bool> {
    match Change::Exchange(a, b).apply() {
        Err(e) if e.kind() == ErrorKind::Unsupported => Ok(false),
        other => other.map(|()| true).map_err(|e| Error::io("swap the folder in one step", b, e)),
    }
}

/// Swaps two folders with three renames. A kill between them leaves the old folder under a temporary name beside `b`.
fn exchange_by_renames(a: &Path, b: &Path) -> std::io::Result<()> {
    let aside = aside(b);
    Change::Rename(b, &aside).apply()?;
    if let Err(e) = Change::Rename(a, b).apply() {
        Change::Rename(&aside, b).apply()?;
        return Err(e);
    }
    Change::Rename(&aside, a).apply()
}

/// The temporary name of a folder that is replaced.
fn aside(path: &Path) -> PathBuf {
    let mut name = temporary_path(path).into_os_string();
    name.push("-old");
    PathBuf::from(name)
}

/// Replaces the folder at `path`, which cannot be renamed, by `finished`. A kill between the steps leaves a copy of the old
/// folder and the new one under temporary names beside `path`.
fn replace_by_copy(finished: &Path, path: &Path) -> Result<()> {
    let aside = aside(path);
    if let Err(e) = copy_folder(path, &aside) {
        let _ = remove(&aside);
        return Err(e);
    }
    sync_folder(parent(path))?;
    let replaced = remove(path).and_then(|()| {
        Change::Rename(finished, path).apply().map_err(|e| Error::io("replace the folder", path, e))
    });
    if let Err(e) = replaced {
        // What was removed of the old folder comes back; its copy goes only when that succeeded.
        copy_folder(&aside, path).and_then(|()| remove(&aside)).map_err(|lost| lost.at(&aside))?;
        return Err(e);
    }
    sync_folder(parent(path))?;
    remove(&aside)
}

/// Copies a folder with its contents durably. In a folder that is there, files are replaced.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    create_folder(to)?;
    for entry in list(from)? {
        let target = to.join(entry.path.file_name().unwrap_or_default());
        if entry.path.is_dir() {
            copy_folder(&entry.path, &target)?;
        } else {
            let written = Change::Write(&target, &read(&entry.path)?).apply();
            let synced = written.and_then(|()| Change::SyncFile(&target).apply());
            synced.map_err(|e| Error::io("write", &target, e))?;
        }
    }
    sync_folder(to)
}

#[cfg(test)]
mod tests {
    use super::super::change::{Watcher, watch};
    use super::*;
    use std::io;
    use std::sync::Arc;

    /// A file system that cannot move the folder `run`, as an overlay whose lower layer holds it.
    struct Overlay {
        /// Whether the new folder cannot be moved either.
        is_stuck: bool,
    }

    impl Watcher for Overlay {
        fn before(&self, change: &Change) -> io::Result<()> {
            match change {
                Change::Exchange(..) => Err(ErrorKind::Unsupported.into()),
                Change::Rename(from, _) if from.ends_with("run") => Err(ErrorKind::CrossesDevices.into()),
                Change::Rename(..) if self.is_stuck => Err(ErrorKind::PermissionDenied.into()),
                _ => Ok(()),
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_moved_is_replaced_all_the_same_and_never_lost() {
        for is_stuck in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (new, run) = (dir.path().join("new"), dir.path().join("run"));
            std::fs::create_dir_all(run.join("below")).unwrap();
            std::fs::write(run.join("below/old"), "old").unwrap();
            std::fs::create_dir(&new).unwrap();
            std::fs::write(new.join("n"), "").unwrap();
            let _watch = watch(dir.path(), Arc::new(Overlay { is_stuck }));
            assert_eq!(replace_folder(&new, &run).is_err(), is_stuck);
            assert_eq!(run.join("n").exists(), !is_stuck);
            assert_eq!(std::fs::read(run.join("below/old")).is_ok(), is_stuck);
            assert_eq!(list(dir.path()).unwrap().len(), 1 + usize::from(is_stuck), "nothing is left aside");
        }
    }

    #[test]
    fn folders_are_swapped_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (new, run) = (dir.path().join("new"), dir.path().join("run"));
        for (folder, file) in [(&new, "n"), (&run, "o")] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        replace_folder(&new, &run).unwrap();
        assert_eq!(list(&run).unwrap()[0].name, "n");
        assert!(!new.exists());
        // The same where the system cannot swap in one step.
        std::fs::create_dir(&new).unwrap();
        exchange_by_renames(&new, &run).unwrap();
        assert_eq!(
            (list(&run).unwrap().len(), list(&new).unwrap().len(), list(dir.path()).unwrap().len()),
            (0, 1, 2)
        );
        assert!(exchange_by_renames(&dir.path().join("gone"), &run).is_err());
        assert!(run.exists() && list(dir.path()).unwrap().len() == 2);
    }
}
