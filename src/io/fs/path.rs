//! Paths: parents, resolved paths, and the names of unfinished files and folders.

use crate::error::{Error, Result};
use std::path::{Component, Path, PathBuf};

/// Prefix of the name of every unfinished file and folder.
pub const TEMPORARY_PREFIX: &str = ".tmp-";
/// Suffix of the same names, so that a search for `*.parquet` does not find them.
const UNFINISHED_SUFFIX: &str = ".unfinished";

/// The folder that holds `path`; the current folder for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes `path` absolute, and resolves links and `..` in the part of it that exists.
///
/// # Errors
/// [`Kind::Io`](crate::error::Kind::Io) when the current folder cannot be determined.
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

/// A temporary path in the same folder as `path`. Its name holds the id of this process.
pub fn temporary_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY_PREFIX}{}-{name}{UNFINISHED_SUFFIX}", std::process::id()))
}

/// The final name that the temporary name `name` stands for; `None` when `name` is not made by [`temporary_path`].
pub fn unfinished_target(name: &str) -> Option<&str> {
    let unfinished = name.strip_prefix(TEMPORARY_PREFIX)?.strip_suffix(UNFINISHED_SUFFIX)?;
    let (process, target) = unfinished.split_once('-')?;
    process.bytes().all(|b| b.is_ascii_digit()).then_some(target)
}

/// Places where something may be whose path was stored in a file near `near`: first the path as it was stored, then, for
/// a project that was moved as a whole, the last parts of the path below each folder around `near`, innermost first.
/// A place may hold something else by now, so the caller checks the content.
pub fn places_after_a_move(stored: &Path, near: &Path) -> Vec<PathBuf> {
    let parts: Vec<_> = stored.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let ends: Vec<PathBuf> = (0..parts.len()).map(|from| parts[from..].iter().collect()).collect();
    let near = resolve(near).unwrap_or_else(|_| near.to_path_buf());
    let below = near.ancestors().skip(1).flat_map(|folder| ends.iter().map(|end| folder.join(end)));
    std::iter::once(stored.to_path_buf()).chain(below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_beside_a_moved_folder_is_found_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let places = places_after_a_move(Path::new("/gone/project/nets/n.onnx"), &dir.path().join("runs/a"));
        assert_eq!(places[0], Path::new("/gone/project/nets/n.onnx"));
        let root = dir.path().canonicalize().unwrap();
        let inner = ["runs/project/nets/n.onnx", "runs/nets/n.onnx", "runs/n.onnx", "nets/n.onnx", "n.onnx"];
        let at = inner.map(|place| places.iter().position(|other| *other == root.join(place)));
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?} in {places:?}");
    }
}
