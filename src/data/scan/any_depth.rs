//! Lists images without classes: files as they are named, and all files below folders, inside archives and in manifests.

use super::listed_files::ListedFiles;
use super::passed_over::is_passed_over;
use super::{archive, manifest};
use crate::data::manifest::ManifestFormat;
use crate::error::{Error, Kind, Result};
use crate::io::archive::is_archive;
use crate::io::fs;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The files of `paths`: a folder stands for all files below it, an archive for those in it, a manifest for those that it names.
/// Each path comes once, where it is named first.
///
/// # Errors
/// [`Kind::Input`] when there is none, and those of [`files_of`].
pub fn list_files(paths: &[PathBuf]) -> Result<ListedFiles> {
    let (mut listed, mut seen) = (ListedFiles::default(), HashSet::new());
    for path in paths {
        let stands_for_others = path.is_dir()
            || (path.is_file() && (is_archive(path) || ManifestFormat::of_table(path).is_some()));
        let found = match stands_for_others {
            true => files_of(path)?,
            false => ListedFiles { files: vec![path.clone()], refused: Vec::new() },
        };
        listed.files.extend(found.files.into_iter().filter(|file| seen.insert(file.clone())));
        listed.refused.extend(found.refused);
    }
    match listed.files.is_empty() {
        true => Err(Error::new(Kind::Input, "there is no image file")
            .help("give image files, or folders, archives or manifests that hold some")),
        false => Ok(listed),
    }
}

/// The files of a folder at any depth, without those that programs and systems leave, or of an archive or a manifest.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, archive or manifest, or it cannot be read; [`Kind::Io`] when a folder cannot be
/// listed.
pub fn files_of(images: &Path) -> Result<ListedFiles> {
    match () {
        () if images.is_file() && is_archive(images) => archive::images_of(images),
        () if images.is_file() => manifest::images_of(images),
        () if images.is_dir() && archive::is_shards(images) => archive::images_of_shards(images),
        () => Ok(ListedFiles { files: files_below(images)?, refused: Vec::new() }),
    }
}

/// All files below `folder`, sorted. A folder is entered once.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
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
