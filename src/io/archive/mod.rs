//! Reads zip and gzip-compressed tar archives, and zlib data. The only user of `zip`, `tar` and `flate2`. Callers verify the digest of
//! an archive first, except for its members, which are read where they are.

mod members;

pub use members::{ArchiveMembers, SkippedEntry, inside_archive, is_archive, refuse_packed};

use super::fs;
use crate::error::{Error, Kind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

/// Unpacks gzip data (RFC 1952) as they are read, also of several members.
pub fn gunzip(packed: impl Read) -> impl Read {
    flate2::read::MultiGzDecoder::new(packed)
}

/// Unpacks zlib data (RFC 1950) of at most `limit` bytes; `None` when they are damaged or more.
pub fn inflate(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

/// Reads the files of a gzip-compressed tar archive whose path starts with `prefix`. Returns their contents by the rest
/// of the path.
///
/// # Errors
/// [`Kind::Io`] when the archive cannot be read or is damaged.
pub fn read_tgz(archive: &Path, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let fail = |e: std::io::Error| damaged(archive).because(e);
    let file = File::open(archive).map_err(|e| Error::io("open", archive, e))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = BTreeMap::new();
    for entry in tar.entries().map_err(fail)? {
        let mut entry = entry.map_err(fail)?;
        let path = entry.path().map_err(fail)?.to_string_lossy().replace('\\', "/");
        if let Some(rest) = path.strip_prefix(prefix) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(fail)?;
            found.insert(rest.trim_start_matches('/').to_string(), bytes);
        }
    }
    Ok(found)
}

/// Finds the members of a zip archive in memory that is not compressed, as PyTorch writes it. Returns their bytes by name.
///
/// # Errors
/// The reason, in one line, why the archive cannot be used.
pub fn read_stored_zip(bytes: &[u8]) -> std::result::Result<BTreeMap<String, &[u8]>, String> {
    let damaged = |_| "the zip archive is damaged".to_string();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(damaged)?;
    let mut members = BTreeMap::new();
    for i in 0..zip.len() {
        let entry = zip.by_index_raw(i).map_err(damaged)?;
        let name = entry.name().map_err(|_| "a name in the zip archive is damaged".to_string())?.into_owned();
        if entry.compression() != zip::CompressionMethod::Stored {
            return Err(format!("{name} is compressed in the zip archive"));
        }
        let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
        let size = usize::try_from(entry.size()).ok();
        let content = start.zip(size).and_then(|(start, size)| bytes.get(start..start.checked_add(size)?));
        let content = content.ok_or_else(|| format!("{name} lies outside the zip archive"))?;
        let mut sum = flate2::Crc::new();
        sum.update(content);
        if sum.sum() != entry.crc32() {
            return Err(format!("the checksum of {name} is wrong"));
        }
        members.insert(name, content);
    }
    Ok(members)
}

/// Reads one file of a zip archive by its path.
///
/// # Errors
/// [`Kind::Io`] when the archive cannot be read, is damaged or does not hold the file.
pub fn read_zip_member(archive: &Path, name: &str) -> Result<Vec<u8>> {
    let file = File::open(archive).map_err(|e| Error::io("open", archive, e))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| damaged(archive).because(e))?;
    let mut entry = zip.by_name(name).map_err(|e| damaged(archive).because(format!("{name}: {e}")))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|e| damaged(archive).because(e))?;
    Ok(bytes)
}

/// Bytes that an archive may hold for each of its own: weights shrink by a tenth.
const MOST_UNPACKED_PER_BYTE: u64 = 8;
/// Bytes that any archive may hold.
const ALWAYS_UNPACKED: u64 = 16 << 20;

/// Reads those files of a gzip-compressed tar archive whose name `wanted` accepts, from an archive that may come from
/// anywhere. Returns their contents by name, without folders.
///
/// # Errors
/// The reason, in one line: the archive is damaged, unpacks to far more than its size, holds links, paths that are absolute
/// or lead outside, or two wanted files of one name.
pub fn read_foreign_tgz(
    bytes: &[u8],
    wanted: impl Fn(&str) -> bool,
) -> std::result::Result<BTreeMap<String, Vec<u8>>, String> {
    let damaged = |e: std::io::Error| format!("the archive is damaged: {e}");
    let limit = ALWAYS_UNPACKED + MOST_UNPACKED_PER_BYTE * bytes.len() as u64;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes).take(limit));
    let mut found = BTreeMap::new();
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = safe_path(&entry).map_err(|why| format!("the archive {why}"))?;
        let shown = path.display().to_string();
        if entry.size() > limit {
            return Err(format!("{shown} is larger than the archive can hold"));
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !entry.header().entry_type().is_file() || !wanted(&name) {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        if found.insert(name, content).is_some() {
            return Err(format!("the archive holds two files of one name, {shown}"));
        }
    }
    Ok(found)
}

/// The path of an entry of a tar archive that may come from anywhere.
///
/// # Errors
/// What the archive holds: a link, or a path that is absolute or leads outside.
fn safe_path(entry: &tar::Entry<impl Read>) -> std::result::Result<PathBuf, String> {
    let path = entry.path().map_err(|e| format!("is damaged: {e}"))?.into_owned();
    let shown = path.display();
    let kind = entry.header().entry_type();
    if kind.is_symlink() || kind.is_hard_link() {
        return Err(format!("holds a link, {shown}"));
    }
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.components().all(inside) {
        return Err(format!("holds a path that leads outside, {shown}"));
    }
    Ok(path)
}

/// What an archive may unpack to.
#[derive(Debug, Clone, Copy)]
pub struct UnpackLimits {
    /// Most files.
    pub files: usize,
    /// Most bytes of all files together.
    pub bytes: u64,
}

/// Unpacks a gzip-compressed tar archive that may come from anywhere. `place` gives each file its place, or `None` to leave it
/// out; it is given the path inside the archive, and the place is in a folder that is there or below one. Files are fsynced after
/// the last. Returns the number of files. `done` is called after each and may stop the work.
///
/// # Errors
/// [`Kind::Io`] when the archive is damaged or a file cannot be written. [`Kind::Input`] when it holds links, paths that are
/// absolute or lead outside, two files for one place, or more than `limits`. Those of `done`.
pub fn unpack_tgz(
    archive: &Path,
    limits: UnpackLimits,
    place: impl Fn(&Path) -> Option<PathBuf>,
    done: &mut dyn FnMut() -> Result<()>,
) -> Result<usize> {
    let fail = |e: std::io::Error| damaged(archive).because(e);
    let refuse = |why: String| Error::new(Kind::Input, format!("the archive {why}")).at(archive);
    let file = File::open(archive).map_err(|e| Error::io("open", archive, e))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(std::io::BufReader::new(file)));
    let (mut written, mut bytes_left) = (Vec::new(), limits.bytes);
    for entry in tar.entries().map_err(fail)? {
        let mut entry = entry.map_err(fail)?;
        let path = safe_path(&entry).map_err(refuse)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(refuse(format!("holds what is no file, {}", path.display())));
        }
        let Some(target) = place(&path) else { continue };
        bytes_left = match bytes_left.checked_sub(entry.size()) {
            Some(left) if written.len() < limits.files => left,
            _ => return Err(refuse(format!("unpacks to more than it should, from {} on", path.display()))),
        };
        if target.exists() {
            return Err(refuse(format!("holds two files for one place, {}", path.display())));
        }
        // The size is limited above, so that it fits into memory.
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(fail)?;
        fs::write_unsynced(&target, &content)?;
        written.push(target);
        done()?;
    }
    sync_all(&written)?;
    Ok(written.len())
}

/// Makes files durable, with their folders and the names of these.
fn sync_all(files: &[PathBuf]) -> Result<()> {
    files.iter().try_for_each(|file| fs::sync_file(file))?;
    let folders: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1).take(2)).collect();
    folders.into_iter().try_for_each(fs::sync_folder)
}

/// Extracts files of a zip archive into the folder `target`: those directly in `folder` whose name `wanted` accepts. Each
/// file is fsynced. Returns sizes in bytes by file name.
///
/// # Errors
/// [`Kind::Io`] when the archive cannot be read or is damaged, or when a file cannot be written.
pub fn extract_zip(
    archive: &Path,
    folder: &str,
    wanted: impl Fn(&str) -> bool,
    target: &Path,
) -> Result<BTreeMap<String, u64>> {
    let file = File::open(archive).map_err(|e| Error::io("open", archive, e))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|e| damaged(archive).because(e))?;
    let mut written = BTreeMap::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(|e| damaged(archive).because(e))?;
        let path = entry.name().map_err(|e| damaged(archive).because(e))?.into_owned();
        let Some(name) = path.strip_prefix(folder).map(|n| n.trim_start_matches('/').to_string()) else {
            continue;
        };
        if name.is_empty() || name.contains('/') || !wanted(&name) {
            continue;
        }
        let path = target.join(&name);
        let size = write_out(&mut entry, &path).map_err(|e| Error::io("unpack", &path, e))?;
        written.insert(name, size);
    }
    Ok(written)
}

fn write_out(from: &mut impl Read, path: &Path) -> std::io::Result<u64> {
    let mut file = File::create(path)?;
    std::io::copy(from, &mut file)?;
    file.flush()?;
    file.sync_all()?;
    file.stream_position()
}

fn damaged(archive: &Path) -> Error {
    Error::new(Kind::Io, "the archive is damaged").at(archive)
}
