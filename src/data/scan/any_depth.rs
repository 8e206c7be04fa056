//! Lists files at any depth, without classes: files as they are named, and all files below folders.

use super::passed_over::is_passed_over;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The files of `paths`: a folder stands for all files below it. Each path comes once, where it is named first.
///
/// # Errors
/// [`Kind::Input`] when there is none, and those of [`files_below`].
pub fn list_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    for path in paths {
        let found = if path.is_dir() { files_below(path)? } else { vec![path.clone()] };
        files.extend(found.into_iter().filter(|file| seen.insert(file.clone())));
    }
    match files.is_empty() {
        true => Err(Error::new(Kind::Input, "there is no image file")
            .help("give image files, or folders that hold some")),
        false => Ok(files),
    }
}

/// All files below `folder`, sorted, without those that programs and systems leave. A folder is entered once.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, [`Kind::Io`] when one cannot be listed.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut entered, mut waiting) = (Vec::new(), HashSet::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = waiting.pop() {
        let fail = |e| Error::new(Kind::Input, "no such folder of images").at(&folder).because(e);
        if !entered.insert(std::fs::canonicalize(&folder).map_err(fail)?) {
            continue;
        }
        for entry in fs::list(&folder)? {
            match entry.path.is_dir() {
                _ if is_passed_over(&entry.name) => {}
                true => waiting.push(entry.path),
                false => files.push(entry.path),
            }
        }
    }
    files.sort();
    Ok(files)
}
