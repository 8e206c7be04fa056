//! Reads zip and gzip-compressed tar archives, and zlib data. The only user of `zip`, `tar` and `flate2`. Callers verify the digest of
//! an archive first.

use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

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
