//! Replaces whole folders: builds the new one beside the old one and swaps the two.

use super::change::Change;
use super::files::{create_folder, remove, sync_folder};
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
        match Change::Exchange(finished, path).apply() {
            Err(e) if e.kind() == ErrorKind::Unsupported => exchange_by_renames(finished, path),
            other => other,
        }
        .map_err(fail)?;
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

/// Swaps two folders in one step, which is durable after [`sync_folder`].
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the operating system refuses, as Windows and some network file systems do.
pub fn exchange_folders(a: &Path, b: &Path) -> Result<()> {
    Change::Exchange(a, b).apply().map_err(|e| {
        let is_unsupported = e.kind() == ErrorKind::Unsupported;
        let failed = Error::io("swap the folder in one step", b, e);
        let help = "this needs Linux or macOS and a local file system: copy the folder to one";
        if is_unsupported { failed.help(help) } else { failed }
    })
}

/// Checks that folders in `folder` can be swapped in one step, by swapping two empty ones.
///
/// # Errors
/// As [`exchange_folders`].
pub fn check_exchange(folder: &Path) -> Result<()> {
    let [a, b] = ["a", "b"].map(|name| temporary_path(&folder.join(name)));
    let created = create_folder(&a).and_then(|()| create_folder(&b));
    let exchanged = created.and_then(|()| exchange_folders(&a, &b)).map_err(|e| e.at(folder));
    for path in [a, b].iter().filter(|path| path.exists()) {
        remove(path)?;
    }
    exchanged
}

/// Swaps two folders with three renames. A kill between them leaves the old folder under a temporary name beside `b`.
fn exchange_by_renames(a: &Path, b: &Path) -> std::io::Result<()> {
    let mut name = temporary_path(b).into_os_string();
    name.push("-old");
    let aside = PathBuf::from(name);
    Change::Rename(b, &aside).apply()?;
    if let Err(e) = Change::Rename(a, b).apply() {
        Change::Rename(&aside, b).apply()?;
        return Err(e);
    }
    Change::Rename(&aside, a).apply()
}

#[cfg(test)]
mod tests {
    use super::super::files::list;
    use super::*;

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
