//! The file system as this project uses it: whole files replaced atomically, folders swapped, one writer at a time.
//! It refuses to edit a finished file.

mod change;
mod lock;

pub use change::{Change, Watch, Watcher, watch};
pub use lock::Lock;

use crate::digest::{Digest, sha256, sha256_file};
use crate::error::{Error, Kind, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Begins the name of every unfinished file and folder.
pub const TEMPORARY: &str = ".tmp-";
/// Ends it, so that nobody who looks for `*.parquet` takes it for one.
const UNFINISHED: &str = ".unfinished";

/// Reads a whole file.
///
/// # Errors
/// When it cannot be opened or read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// The names in a folder, sorted bytewise, each with its full path.
///
/// # Errors
/// When the folder cannot be listed.
pub fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let fail = |e| Error::io("list the folder", folder, e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        found.push((name, path));
    }
    found.sort();
    Ok(found)
}

/// Creates a folder and its parents, durably.
///
/// # Errors
/// When the operating system refuses.
pub fn create_folder(folder: &Path) -> Result<()> {
    let fail = |e| Error::io("create the folder", folder, e);
    if folder.is_dir() || folder.as_os_str().is_empty() {
        return Ok(());
    }
    create_folder(parent(folder))?;
    match Change::CreateFolder(folder).make() {
        // Another process was faster.
        Err(_) if folder.is_dir() => {}
        other => other.map_err(fail)?,
    }
    sync_folder(parent(folder))
}

/// Puts `bytes` at `path`, whole or not at all: a temporary file in the same folder, fsync, rename, fsync of the folder.
///
/// # Errors
/// When any step fails; unless it was the last, the temporary file is removed and what stood at `path` still stands.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = beside(path);
    let written = Change::Write(&temporary, bytes)
        .make()
        .and_then(|()| Change::SyncFile(&temporary).make())
        .and_then(|()| Change::Rename(&temporary, path).make());
    if let Err(e) = written {
        let _ = Change::RemoveFile(&temporary).make();
        return Err(Error::io("write", path, e));
    }
    sync_folder(parent(path))
}

/// Gives a file another name, durably; both names are on one file system.
///
/// # Errors
/// When the operating system refuses.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    Change::Rename(from, to).make().map_err(|e| Error::io("move", from, e))?;
    // The new name first: a power loss between the two must not leave the file without a name.
    sync_folder(parent(to))?;
    if parent(from) == parent(to) { Ok(()) } else { sync_folder(parent(from)) }
}

/// Gives a file a second name. It is durable once [`sync_folder`] has made it so.
///
/// # Errors
/// When the operating system refuses.
pub fn hard_link(from: &Path, to: &Path) -> Result<()> {
    Change::HardLink(from, to).make().map_err(|e| Error::io("make the hard link", to, e))
}

/// Removes a file, or a folder with all that is in it.
///
/// # Errors
/// When the operating system refuses.
pub fn remove(path: &Path) -> Result<()> {
    let change = if path.is_dir() && !path.is_symlink() {
        Change::RemoveFolder(path)
    } else {
        Change::RemoveFile(path)
    };
    change.make().map_err(|e| Error::io("remove", path, e))
}

/// Puts a copy of `source` at `path`, whole or not at all, and reads it back: both must have the same `digest`.
///
/// # Errors
/// [`Kind::Input`] when `source` has other bytes by now, [`Kind::Io`] when a step fails or the disk gives back other
/// bytes than were written.
pub fn copy_verified(source: &Path, path: &Path, digest: Digest) -> Result<()> {
    let bytes = read(source)?;
    if sha256(&bytes) != digest {
        return Err(Error::new(Kind::Input, "it changed while it was being copied")
            .at(source)
            .help("try again"));
    }
    write_atomic(path, &bytes)?;
    match sha256_file(path)? == digest {
        true => Ok(()),
        false => Err(Error::new(Kind::Io, "the disk gives back other bytes than were written").at(path)),
    }
}

/// Makes `path` a hard link to `source`, or to the file that `source` is a symbolic link to; its bytes must have the
/// `digest`.
///
/// # Errors
/// When the operating system refuses, as it does across file systems; [`Kind::Input`] when `source` has other bytes by
/// now: the link is then removed.
pub fn hard_link_verified(source: &Path, path: &Path, digest: Digest) -> Result<()> {
    let linked = source.canonicalize().and_then(|source| Change::HardLink(&source, path).make());
    linked.map_err(|e| {
        Error::io("make the hard link", path, e)
            .help("hard links need one file system for both folders; leave --link out to copy")
    })?;
    if sha256_file(path)? != digest {
        let _ = Change::RemoveFile(path).make();
        return Err(Error::new(Kind::Input, "it changed while it was being linked")
            .at(source)
            .help("try again"));
    }
    sync_folder(parent(path))
}

/// Moves a finished folder to `path`, swapping it with a folder that stands there; the old one is deleted.
///
/// # Errors
/// When a step fails; `path` then holds the old folder or the new one, never a mixture.
pub fn replace_folder(finished: &Path, path: &Path) -> Result<()> {
    let fail = |e| Error::io("replace the folder", path, e);
    sync_folder(finished)?;
    if path.exists() {
        match Change::Exchange(finished, path).make() {
            Err(e) if e.kind() == ErrorKind::Unsupported => exchange_by_renames(finished, path),
            other => other,
        }
        .map_err(fail)?;
        // Durable before the old folder goes: a power loss must not find neither.
        sync_folder(parent(path))?;
        remove(finished)
    } else {
        Change::Rename(finished, path).make().map_err(fail)?;
        sync_folder(parent(path))
    }
}

/// Builds a folder beside `path` with `fill`, and moves it there as [`replace_folder`] does.
///
/// # Errors
/// What `fill` says, and when a step fails; what stood at `path` then still stands.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let beside = beside(&std::path::absolute(path).map_err(|e| Error::io("find", path, e))?);
    if beside.exists() {
        // Left by a killed process whose number this one has now.
        remove(&beside)?;
    }
    create_folder(&beside).map_err(|e| e.at(path))?;
    let written = fill(&beside).and_then(|()| replace_folder(&beside, path));
    if written.is_err() {
        let _ = remove(&beside);
    }
    written
}

/// Swaps two folders in one step. It is durable once [`sync_folder`] has made it so.
///
/// # Errors
/// [`Kind::Io`] when the operating system refuses, as Windows and some network file systems do.
pub fn exchange_folders(a: &Path, b: &Path) -> Result<()> {
    Change::Exchange(a, b).make().map_err(|e| {
        let cannot = e.kind() == ErrorKind::Unsupported;
        let failed = Error::io("swap the folder in one step", b, e);
        let help = "it takes Linux or macOS and a local file system: copy the cache to one";
        if cannot { failed.help(help) } else { failed }
    })
}

/// Makes sure that folders in `folder` can be swapped, before anything is staked on it.
///
/// # Errors
/// As [`exchange_folders`].
pub fn check_exchange(folder: &Path) -> Result<()> {
    let [a, b] = ["a", "b"].map(|name| beside(&folder.join(name)));
    let made = create_folder(&a).and_then(|()| create_folder(&b));
    let exchanged = made.and_then(|()| exchange_folders(&a, &b)).map_err(|e| e.at(folder));
    for path in [a, b].iter().filter(|path| path.exists()) {
        remove(path)?;
    }
    exchanged
}

/// What tells a folder from another that had its path before: its numbers, and when it was made, since the number of a
/// folder that is gone is given to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    numbers: (u64, u64),
    made: Option<std::time::SystemTime>,
}

/// Which folder is at a path; `None` where there is none, and where folders are never swapped.
pub fn identity(folder: &Path) -> Option<Identity> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(folder).ok()?;
        Some(Identity { numbers: (found.dev(), found.ino()), made: found.created().ok() })
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Three renames: a kill among them leaves the old folder beside, under a temporary name.
fn exchange_by_renames(a: &Path, b: &Path) -> std::io::Result<()> {
    let mut name = beside(b).into_os_string();
    name.push("-old");
    let aside = PathBuf::from(name);
    Change::Rename(b, &aside).make()?;
    if let Err(e) = Change::Rename(a, b).make() {
        Change::Rename(&aside, b).make()?;
        return Err(e);
    }
    Change::Rename(&aside, a).make()
}

/// Where `path` is or would be, absolute, with links and `..` resolved as far as it exists.
///
/// # Errors
/// When the current folder cannot be found.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io("find", path, e))?;
    for existing in absolute.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
            return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
        }
    }
    Ok(absolute)
}

/// A temporary path in the same folder as `path`, of this process.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY}{}-{name}{UNFINISHED}", std::process::id()))
}

/// The name of the file that an unfinished one called `name` was to become; `None` for other names.
pub fn unfinished(name: &str) -> Option<&str> {
    let (process, target) = name.strip_prefix(TEMPORARY)?.strip_suffix(UNFINISHED)?.split_once('-')?;
    process.bytes().all(|b| b.is_ascii_digit()).then_some(target)
}

/// Removes what killed writers left in `folder`. Only for a folder in which no other process can be writing.
///
/// # Errors
/// When the folder cannot be listed or a leftover cannot be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    for (name, path) in list(folder)? {
        if name.starts_with(TEMPORARY) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<()> {
    Change::SyncFolder(folder).make().map_err(|e| Error::io("sync the folder", folder, e))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_folder_with_the_number_of_one_that_is_gone_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        let made = || {
            create_folder(&folder).unwrap();
            (identity(&folder).unwrap(), std::fs::metadata(&folder).unwrap().created().ok())
        };
        let (first, when) = made();
        assert_eq!(identity(&folder), Some(first));
        // Clocks of file systems tick some hundred times a second.
        let other = std::iter::repeat_with(|| {
            remove(&folder).unwrap();
            made()
        })
        .find(|(_, then)| then.is_none() || *then != when);
        assert_ne!(other.map(|(other, _)| other), Some(first));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_rubbish() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomic(&path, b"old").unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        // A rename onto a folder fails after the temporary file was written.
        let error = write_atomic(&dir.path().join("d"), b"new").unwrap_err();
        assert!(error.to_string().contains("could not write"), "{error}");
        assert_eq!(list(dir.path()).unwrap().len(), 2);
        assert_eq!(read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_folder_is_swapped_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (new, run) = (dir.path().join("new"), dir.path().join("run"));
        for (folder, file) in [(&new, "n"), (&run, "o")] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        replace_folder(&new, &run).unwrap();
        assert_eq!(list(&run).unwrap()[0].0, "n");
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

    #[test]
    fn the_lock_is_exclusive_and_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = Lock::take(&path).unwrap();
        assert_eq!(Lock::take(&path).unwrap_err().kind(), Kind::Locked);
        drop(held);
        Lock::take(&path).unwrap();
    }
}
