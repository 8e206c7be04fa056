//! Paths: parents, resolved paths, what stands in the way of a folder, and the names of unfinished files and folders.

use crate::error::{Error, Kind, Result, nearest_name};
use std::path::{Component, Path, PathBuf};

/// Prefix of the name of every unfinished file and folder.
pub const TEMPORARY_PREFIX: &str = ".tmp-";
/// Suffix of the same names, so that a search for `*.parquet` does not find them.
const UNFINISHED_SUFFIX: &str = ".unfinished";

/// The folder that holds `path`; the current folder for a bare name.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes `path` absolute, and resolves links and `..` in the part of it that exists.
///
/// # Errors
/// [`Kind::Io`] when the current folder cannot be determined.
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

/// Returns `did you mean PATH? `, to stand before a remedy, where the folder of `path` holds another folder that is meant by a
/// mistyped name: one that `is_wanted`. Else nothing.
pub fn meant_beside(path: &Path, is_wanted: impl Fn(&Path) -> bool) -> String {
    let nearest = || {
        let typed = path.file_name()?.to_str()?;
        let entries = std::fs::read_dir(parent(path)).ok()?.flatten();
        let names = entries
            .filter(|entry| is_wanted(&entry.path()))
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        let nearest = nearest_name(typed, names.iter().map(String::as_str))?;
        Some(format!("did you mean {}? ", path.with_file_name(nearest).display()))
    };
    nearest().unwrap_or_default()
}

/// Finds what stands in the way of a folder at `path`, as [`Error::obstacle`].
pub fn obstacle(path: &Path) -> Option<Error> {
    Error::obstacle(path)
}

/// Checks that a folder that others refer to may be created at `path`: nothing stands in its way, and its path can be
/// written down.
///
/// # Errors
/// [`Kind::Io`] for what [`obstacle`] finds, [`Kind::Usage`] as [`require_utf8`].
pub fn check_place(path: &Path) -> Result<()> {
    obstacle(path).map_or(Ok(()), Err)?;
    require_utf8(path)
}

/// Checks that the absolute path is UTF-8, as files that name it need.
///
/// # Errors
/// [`Kind::Usage`] when it is not, [`Kind::Io`] when the current folder cannot be determined.
pub fn require_utf8(path: &Path) -> Result<()> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io("find", path, e))?;
    match absolute.to_str() {
        Some(_) => Ok(()),
        None => Err(Error::new(Kind::Usage, "the path is not UTF-8, so it cannot be written down")
            .at(path)
            .help("rename the file or folder whose name is not UTF-8")),
    }
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

    #[cfg(unix)]
    #[test]
    fn what_stands_in_the_way_of_a_folder_is_called_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "").unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        for (target, link) in
            [("nowhere", "dangling"), ("folder", "good"), ("file", "to-file"), ("ring", "ring")]
        {
            std::os::unix::fs::symlink(target, path(link)).unwrap();
        }
        for free in ["folder", "good", "new", "good/new/below"] {
            check_place(&path(free)).unwrap();
        }
        for (name, at, message) in [
            ("file", "file", "it is a file"),
            ("file/below", "file", "it is a file"),
            ("to-file", "to-file", "it is a file"),
            ("dangling", "dangling", "it is a link to nowhere, where nothing is"),
            ("dangling/below", "dangling", "it is a link to nowhere"),
            ("ring", "ring", "it is a link that leads back to itself"),
            ("ring/below", "ring", "it is a link that leads back to itself"),
        ] {
            let error = check_place(&path(name)).unwrap_err();
            assert_eq!(error.path(), Some(path(at).as_path()));
            assert!(error.to_string().contains(message), "{error}");
            // Whatever is done there, the error names it.
            if name.contains('/') || !path(name).is_file() {
                let read = crate::io::fs::read(&path(name)).unwrap_err();
                assert_eq!((read.to_string(), read.remedy()), (error.to_string(), error.remedy()));
            }
        }
        assert_eq!(crate::io::fs::list(&path("file")).unwrap_err().remedy(), Some("give another path"));
        let missing = crate::io::fs::read(&path("missing")).unwrap_err();
        assert!(missing.with_causes().contains("could not read: No such file"), "{missing}");
        use std::os::unix::ffi::OsStrExt;
        let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"c\xff"));
        assert_eq!(check_place(&odd).unwrap_err().kind(), Kind::Usage);
    }

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
