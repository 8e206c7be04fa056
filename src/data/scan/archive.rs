//! Lists the images inside archives: a tar or zip file with a folder for each class, and WebDataset, where a file with the
//! extension `cls` beside each image holds its class.

use super::labels::ClassFolder;
use super::passed_over::is_passed_over;
use super::walk::{Candidate, Listing};
use crate::data::dataset::{FolderLayout, Weight};
use crate::error::{Error, Kind, Result};
use crate::io::archive::{ArchiveMembers, is_archive};
use crate::io::fs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Extensions of files that are the image of a sample in WebDataset.
const IMAGES: [&str; 9] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm"];
/// Extension of the file that holds the class of a sample.
const CLASS: &str = "cls";

/// Whether a folder holds shards of WebDataset: tar files and nothing else.
pub(super) fn is_shards(folder: &Path) -> bool {
    let entries = fs::list(folder).unwrap_or_default();
    let is_tar =
        |path: &Path| is_archive(path) && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tar"));
    !entries.is_empty() && entries.iter().all(|entry| is_tar(&entry.path) && entry.path.is_file())
}

/// Lists the images of one archive.
///
/// # Errors
/// [`Kind::Input`] when it cannot be read or is damaged.
pub(super) fn list(archive: &Path) -> Result<Listing> {
    let root = resolved(archive)?;
    let members = ArchiveMembers::open(&root)?;
    match members.names().any(|name| name.ends_with(".cls")) {
        true => samples(root.clone(), &[(String::new(), root)]),
        false => class_folders(root, &members),
    }
}

/// Lists the images of shards of WebDataset in a folder.
///
/// # Errors
/// [`Kind::Input`] when one cannot be read or is damaged.
pub(super) fn list_shards(folder: &Path) -> Result<Listing> {
    let root = resolved(folder)?;
    let entries = fs::list(&root)?;
    let shards: Vec<(String, PathBuf)> =
        entries.into_iter().map(|entry| (format!("{}/", entry.name), entry.path)).collect();
    samples(root, &shards)
}

fn resolved(path: &Path) -> Result<PathBuf> {
    let unreadable = |e| Error::new(Kind::Input, "it cannot be read").at(path).because(e);
    let root = std::fs::canonicalize(path).map_err(unreadable)?;
    fs::require_utf8(&root)?;
    Ok(root)
}

/// The topmost folders are classes.
fn class_folders(root: PathBuf, members: &ArchiveMembers) -> Result<Listing> {
    let mut listing = Listing { root, ..Listing::default() };
    let (mut indexes, mut stray) = (BTreeMap::new(), 0);
    for name in members.names() {
        if name.split('/').any(is_passed_over) {
            continue;
        }
        let Some((class, _)) = name.split_once('/') else {
            stray += 1;
            continue;
        };
        let folder = *indexes.entry(class.to_string()).or_insert_with(|| {
            listing.folders.push(ClassFolder { path: class.into(), name: class.into() });
            listing.folders.len() - 1
        });
        listing.candidates.push(candidate(name.into(), folder));
    }
    if stray > 0 {
        listing.notes.push(format!("files directly in the archive belong to no class: {stray}"));
    }
    Ok(listing)
}

fn candidate(path: String, folder: usize) -> Candidate {
    Candidate { path, folder, line: None, split: None, group: None, weight: Weight::default() }
}

/// The image of each sample of the shards, each with the prefix of its paths. Images without a class have no label.
fn samples(root: PathBuf, shards: &[(String, PathBuf)]) -> Result<Listing> {
    let mut listing = Listing { root, layout: FolderLayout::Manifest, ..Listing::default() };
    let mut indexes: BTreeMap<String, usize> = BTreeMap::new();
    for (prefix, path) in shards {
        let members = ArchiveMembers::open(path)?;
        for name in members.names() {
            let image = key(name).filter(|(_, extension)| IMAGES.contains(&extension.as_str()));
            let Some((key, _)) = image else { continue };
            let label = match members.read(&format!("{key}.{CLASS}")) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_string(),
                Err(_) => String::new(),
            };
            let folder = *indexes.entry(label.clone()).or_insert_with(|| {
                listing.folders.push(ClassFolder { path: label.clone(), name: label });
                listing.folders.len() - 1
            });
            listing.candidates.push(candidate(format!("{prefix}{name}"), folder));
        }
    }
    Ok(listing)
}

/// Splits a name at the first dot of its last part: the key of its sample and its extension.
fn key(name: &str) -> Option<(&str, String)> {
    let start = name.rfind('/').map_or(0, |at| at + 1);
    let dot = start + name[start..].find('.')?;
    Some((&name[..dot], name[dot + 1..].to_lowercase()))
}
