//! Writes, copies and links files so that a reader sees the whole file or none.

use super::change::Change;
use super::files::{read, sync_folder};
use super::path::{parent, temporary_path};
use crate::error::{Error, Kind, Result};
use crate::io::digest::{Digest, sha256, sha256_file};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path`, whole or not at all: temporary file in the same folder, fsync, rename, fsync of the
/// folder.
///
/// # Errors
/// [`Kind::Io`] when a step fails. Unless it was the last one, the temporary file is removed and the previous file
/// stays.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary_path(path);
    let fail = |e| Error::io("write", path, e);
    replace_with(path, &temporary, Change::Write(&temporary, bytes).apply().map_err(fail))
}

/// Writes what `fill` writes to `path`, as [`write_atomic`] does, piece by piece.
///
/// # Errors
/// Those of `fill`, and of [`write_atomic`].
pub fn write_atomic_with(
    path: &Path,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    let temporary = temporary_path(path);
    let mut file = BufWriter::with_capacity(PIECE, PieceWriter { path: &temporary });
    let written = Change::Write(&temporary, &[]).apply().map_err(|e| Error::io("write", path, e));
    let written = written
        .and_then(|()| fill(&mut file))
        .and_then(|()| file.flush().map_err(|e| Error::io("write", path, e)));
    // What is left in the buffer after a failure must not be written when it is dropped.
    drop(file.into_parts());
    replace_with(path, &temporary, written)
}

/// Writes `bytes` to `path` if nothing is there, whole or not at all, for names that say what the bytes are. Several processes on
/// several machines may do so at once: one of them writes the file. A file with other bytes is damaged, and replaced. The unfinished
/// file stands in the folder `staging` of the same file system. Returns whether the file was written.
///
/// # Errors
/// [`Kind::Io`] when a step fails.
pub fn write_if_absent(path: &Path, bytes: &[u8], staging: &Path) -> Result<bool> {
    let fail = |e| Error::io("write", path, e);
    if std::fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(false);
    }
    let temporary = unique_path(staging, path);
    let placed = Change::Write(&temporary, bytes)
        .apply()
        .and_then(|()| Change::SyncFile(&temporary).apply())
        .and_then(|()| place(&temporary, path, bytes));
    if placed.is_err() {
        let _ = Change::RemoveFile(&temporary).apply();
    }
    let is_written = placed.map_err(fail)?;
    sync_folder(parent(path))?;
    Ok(is_written)
}

/// Gives a finished file its name, unless a file with the same bytes has it.
fn place(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match Change::HardLink(temporary, path).apply() {
        Ok(()) => Change::RemoveFile(temporary).apply().map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && std::fs::read(path)? == bytes => {
            Change::RemoveFile(temporary).apply().map(|()| false)
        }
        // The file there is damaged, or the file system has no hard links: whoever renames last writes the same bytes.
        Err(_) => Change::Rename(temporary, path).apply().map(|()| true),
    }
}

/// An unfinished file in `folder` that no other process has, on any machine.
fn unique_path(folder: &Path, path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let random = RandomState::new().build_hasher().finish();
    temporary_path(&folder.join(format!("{random:016x}-{name}")))
}

/// Bytes that are written in one system call.
const PIECE: usize = 1 << 20;

/// Appends each buffer to a file.
struct PieceWriter<'a> {
    path: &'a Path,
}

impl Write for PieceWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Change::Append(self.path, bytes).apply().map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the file at `temporary` durable and gives it the name `path`, if it was `written`; else removes it.
fn replace_with(path: &Path, temporary: &Path, written: Result<()>) -> Result<()> {
    let fail = |e| Error::io("write", path, e);
    let replaced = written
        .and_then(|()| Change::SyncFile(temporary).apply().map_err(fail))
        .and_then(|()| Change::Rename(temporary, path).apply().map_err(fail));
    if replaced.is_err() {
        let _ = Change::RemoveFile(temporary).apply();
        return replaced;
    }
    sync_folder(parent(path))
}

/// Copies `source` to `path`, whole or not at all, and reads the copy back. Both files must have the given `digest`.
///
/// # Errors
/// [`Kind::Input`] when `source` has another digest, [`Kind::Io`] when a step fails or the disk returns other bytes
/// than were written.
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
        false => Err(Error::new(Kind::Io, "the disk returns other bytes than were written").at(path)),
    }
}

/// Makes `path` a hard link to `source`, whose symbolic links are followed. The file must have the given `digest`.
///
/// # Errors
/// [`Kind::Io`] when the operating system refuses, as it does across file systems. [`Kind::Input`] when the file has
/// another digest; the link is then removed.
pub fn hard_link_verified(source: &Path, path: &Path, digest: Digest) -> Result<()> {
    let linked = source.canonicalize().and_then(|source| Change::HardLink(&source, path).apply());
    linked.map_err(|e| {
        Error::io("make the hard link", path, e)
            .help("hard links need one file system for both folders; leave `link` out to copy")
    })?;
    if sha256_file(path)? != digest {
        let _ = Change::RemoveFile(path).apply();
        return Err(Error::new(Kind::Input, "it changed while it was being linked")
            .at(source)
            .help("try again"));
    }
    sync_folder(parent(path))
}

#[cfg(test)]
mod tests {
    use super::super::files::list;
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary_file() {
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
    fn a_file_is_written_in_pieces_and_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> = (0..3 * PIECE + 5).map(|i| (i / 7) as u8).collect();
        write_atomic_with(&path, |file| {
            bytes
                .chunks(1000)
                .try_for_each(|chunk| file.write_all(chunk).map_err(|e| Error::io("write", &path, e)))
        })
        .unwrap();
        assert!(read(&path).unwrap() == bytes);
        let failed = write_atomic_with(&path, |file| {
            file.write_all(b"half").unwrap();
            Err(Error::new(Kind::Input, "no more"))
        });
        assert_eq!(failed.unwrap_err().kind(), Kind::Input);
        assert!(read(&path).unwrap() == bytes);
        assert_eq!(list(dir.path()).unwrap().len(), 1);
    }
}
