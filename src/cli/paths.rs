//! Paths that are given as a list on stdin, where `-` stands for them: there may be more than a command line can hold. And caches
//! that are given by URL.

use crate::cache::{Access, with_local_copy};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The paths as given, with those that stdin lists in the place of `-`. They end with a line feed or, if `null`, with a null
/// character.
pub(super) fn with_stdin(paths: &[PathBuf], null: bool) -> Result<Vec<PathBuf>> {
    let is_stdin = |path: &&PathBuf| path.as_path() == Path::new("-");
    match paths.iter().filter(is_stdin).count() {
        0 if null => Err(Error::new(Kind::Usage, "`null` is for a list of paths on stdin")
            .help("give - in the place of the paths, or leave `null` out")),
        0 => Ok(paths.to_vec()),
        1 => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .map_err(|e| Error::new(Kind::Io, "could not read the list of paths on stdin").because(e))?;
            let end = if null { 0 } else { b'\n' };
            let listed: Vec<PathBuf> = split(&bytes, end).map(path).collect();
            let expand = |path: &PathBuf| if is_stdin(&path) { listed.clone() } else { vec![path.clone()] };
            Ok(paths.iter().flat_map(expand).collect())
        }
        _ => Err(Error::new(Kind::Usage, "stdin can be read only once").help("give - only once")),
    }
}

/// Calls `work` with the folders of caches to read, of which some may be given by URL.
pub(super) fn with_caches<T>(
    caches: &[PathBuf],
    monitor: &dyn Monitor,
    work: Box<dyn FnOnce(Vec<PathBuf>) -> Result<T> + '_>,
) -> Result<T> {
    match caches.split_last() {
        None => work(Vec::new()),
        Some((last, before)) => with_local_copy(last, Access::Read, monitor, |last| {
            let with_last = |mut folders: Vec<PathBuf>| {
                folders.push(last.to_path_buf());
                work(folders)
            };
            with_caches(before, monitor, Box::new(with_last))
        }),
    }
}

/// Calls `work` with the folder of a cache to read, which may be given by URL.
pub(super) fn with_cache<T>(
    cache: &Path,
    monitor: &dyn Monitor,
    work: impl FnOnce(PathBuf) -> Result<T>,
) -> Result<T> {
    with_local_copy(cache, Access::Read, monitor, |folder| work(folder.to_path_buf()))
}

/// Calls `work` with the folder of a cache to read, if one is given.
pub(super) fn with_cache_if_given<T>(
    cache: Option<&Path>,
    monitor: &dyn Monitor,
    work: impl FnOnce(Option<PathBuf>) -> Result<T>,
) -> Result<T> {
    match cache {
        Some(cache) => with_cache(cache, monitor, |folder| work(Some(folder))),
        None => work(None),
    }
}

/// What was given for a cache in one of `folders`, the folders of the caches `given`, in the same order.
pub(super) fn as_given(cache: &Path, folders: &[PathBuf], given: &[PathBuf]) -> PathBuf {
    let name = |(folder, given): (&PathBuf, &PathBuf)| match cache.strip_prefix(folder).ok()? {
        rest if rest.as_os_str().is_empty() => Some(given.clone()),
        rest => Some(given.join(rest)),
    };
    folders.iter().zip(given).find_map(name).unwrap_or_else(|| cache.to_path_buf())
}

/// The non-empty pieces of `bytes` before each `end`.
fn split(bytes: &[u8], end: u8) -> impl Iterator<Item = &[u8]> {
    bytes.split(move |byte| *byte == end).filter(|piece| !piece.is_empty())
}

fn path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(OsString::from_vec(bytes.to_vec()))
    }
    #[cfg(not(unix))]
    {
        let text = String::from_utf8_lossy(bytes);
        PathBuf::from(OsString::from(text.trim_end_matches('\r')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_shown_as_what_was_given() {
        let [folders, given] =
            [["/tmp/a", "here"], ["s3://bucket/a", "here"]].map(|paths| paths.map(PathBuf::from).to_vec());
        for (cache, shown) in [
            ("/tmp/a", "s3://bucket/a"),
            ("/tmp/a/Mixed_6e", "s3://bucket/a/Mixed_6e"),
            ("here", "here"),
            ("here/PreLogits", "here/PreLogits"),
            ("/tmp/ab", "/tmp/ab"),
        ] {
            assert_eq!(as_given(Path::new(cache), &folders, &given), PathBuf::from(shown));
        }
    }
}
