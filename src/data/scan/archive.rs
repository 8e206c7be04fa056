//! Lists the images inside archives: a tar or zip file with a folder for each class, and WebDataset, where a file with the
//! extension `cls` beside each image holds its class.

use super::labels::ClassFolder;
use super::listed_files::ListedFiles;
use super::passed_over::{self, count_as_passed_over, is_passed_over};
use super::walk::{Candidate, Listing};
use crate::data::dataset::{
    FolderLayout, LayoutChoice, Reason, Refused, UNLABELLED, Weight, number_and_names,
};
use crate::error::{Error, Kind, Result};
use crate::io::archive::{ArchiveMembers, SkippedEntry, is_archive};
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

/// Lists the images of one archive. Without a `choice`, folders that are called as splits are an error if `must_choose`, else
/// classes.
///
/// # Errors
/// [`Kind::Input`] when it cannot be read or is damaged, or its folders are not the splits that were chosen; [`Kind::Usage`] when
/// a choice is missing.
pub(super) fn list(archive: &Path, choice: Option<LayoutChoice>, must_choose: bool) -> Result<Listing> {
    let root = resolved(archive)?;
    let members = ArchiveMembers::open(&root)?;
    let mut listing = Listing { root, ..Listing::default() };
    if choice.is_none() && has_classes(&members) {
        listing.layout = FolderLayout::Manifest;
        Samples::of(&mut listing).add("", &members);
        listing.note_repeated(members.repeated());
        return Ok(listing);
    }
    listing.add_names(archive, members.names(), choice, must_choose)?;
    listing.refused.extend(refusals("", &members));
    listing.note_repeated(members.repeated());
    Ok(listing)
}

/// Lists the images of tar files in a folder: of WebDataset where one has a file with a class, else of their class folders. A file
/// that cannot be read is refused.
///
/// # Errors
/// [`Kind::Input`] when the folder cannot be read.
pub(super) fn list_shards(folder: &Path) -> Result<Listing> {
    let root = resolved(folder)?;
    let entries = fs::list(&root)?;
    let mut listing = Listing { root, layout: FolderLayout::Manifest, ..Listing::default() };
    let mut shards = Vec::new();
    for entry in entries {
        match ArchiveMembers::open(&entry.path) {
            Ok(members) => shards.push((entry.name, members)),
            Err(e) => refuse(&mut listing, entry.name, Reason::Unreadable(e.with_causes())),
        }
    }
    let without: Vec<&str> =
        shards.iter().filter(|(_, members)| !has_classes(members)).map(|(name, _)| name.as_str()).collect();
    let is_of_folders = without.len() == shards.len();
    if !without.is_empty() && !is_of_folders {
        let note = "tar files without a class (.cls), whose images have no label: ";
        listing.notes.push(format!("{note}{}", number_and_names(&without)));
    }
    let mut stray = 0;
    let mut samples = Samples::of(&mut listing);
    for (name, members) in &shards {
        let prefix = format!("{name}/");
        match is_of_folders && members.names().any(|name| name.contains('/')) {
            true => stray += samples.add_folders(&prefix, members),
            false => samples.add(&prefix, members),
        }
    }
    listing.note_stray("the tar files", stray);
    listing.notes.extend(passed_over::remark(&listing.passed_over));
    listing.note_repeated(shards.iter().map(|(_, members)| members.repeated()).sum());
    Ok(listing)
}

impl Listing {
    fn note_repeated(&mut self, files: usize) {
        if files > 0 {
            let note =
                "files that another one of the same name follows in the archive, which is used instead: ";
            self.notes.push(format!("{note}{files}"));
        }
    }
}

/// The images of an archive, whatever their classes: all files, or of WebDataset those with the extension of an image.
///
/// # Errors
/// [`Kind::Input`] when it cannot be read.
pub(super) fn images_of(archive: &Path) -> Result<ListedFiles> {
    let members = ArchiveMembers::open(archive)?;
    let is_sample = has_classes(&members);
    let is_wanted =
        |name: &&str| is_image_path(name) && (!is_sample || key(name).is_some_and(|key| is_image(&key)));
    let files = members.names().filter(is_wanted).map(|name| archive.join(name)).collect();
    Ok(ListedFiles { files, refused: refusals(&format!("{}/", archive.display()), &members) })
}

/// The images of all tar files in a folder. A file that cannot be read is refused.
///
/// # Errors
/// [`Kind::Io`] when the folder cannot be listed.
pub(super) fn images_of_shards(folder: &Path) -> Result<ListedFiles> {
    let mut all = ListedFiles::default();
    for entry in fs::list(folder)? {
        match images_of(&entry.path) {
            Ok(listed) => {
                all.files.extend(listed.files);
                all.refused.extend(listed.refused);
            }
            Err(e) => {
                let (path, reason) = (entry.path.display().to_string(), Reason::Unreadable(e.with_causes()));
                all.refused.push(Refused { path, image_sha256: None, reason });
            }
        }
    }
    Ok(all)
}

/// Whether files hold the classes of images.
fn has_classes(members: &ArchiveMembers) -> bool {
    members.names().any(|name| name.ends_with(".cls"))
}

fn refuse(listing: &mut Listing, path: String, reason: Reason) {
    listing.refused.push(Refused { path, image_sha256: None, reason });
}

/// Whether no part of a name is one that is passed over.
fn is_image_path(name: &&str) -> bool {
    !name.split('/').any(is_passed_over)
}

fn resolved(path: &Path) -> Result<PathBuf> {
    let unreadable = |e| Error::new(Kind::Input, "it cannot be read").at(path).because(e);
    let root = std::fs::canonicalize(path).map_err(unreadable)?;
    fs::require_utf8(&root)?;
    Ok(root)
}

/// Gathers the images of archives.
struct Samples<'a> {
    listing: &'a mut Listing,
    /// Indices of class folders.
    indexes: BTreeMap<String, usize>,
}

impl<'a> Samples<'a> {
    fn of(listing: &'a mut Listing) -> Self {
        Self { listing, indexes: BTreeMap::new() }
    }

    fn folder(&mut self, path: &str, name: &str) -> usize {
        let folders = &mut self.listing.folders;
        *self.indexes.entry(path.into()).or_insert_with(|| {
            folders.push(ClassFolder { path: path.into(), name: name.into() });
            folders.len() - 1
        })
    }

    fn candidate(&mut self, path: String, folder: usize) {
        let weight = Weight::default();
        self.listing.candidates.push(Candidate {
            path,
            folder,
            line: None,
            split: None,
            group: None,
            weight,
        });
    }

    /// Adds the files in class folders, whose paths start with `prefix`. Returns how many are in none.
    fn add_folders(&mut self, prefix: &str, members: &ArchiveMembers) -> usize {
        let mut stray = 0;
        for name in members.names() {
            if name.split('/').any(|part| count_as_passed_over(part, &mut self.listing.passed_over)) {
                continue;
            }
            let Some((class, _)) = name.split_once('/') else {
                stray += 1;
                continue;
            };
            // The labels of a folder of archives are names as they are.
            let folder = self.folder(class, if class == UNLABELLED { "" } else { class });
            self.candidate(format!("{prefix}{name}"), folder);
        }
        self.refuse_skipped(prefix, members);
        stray
    }

    /// Adds the image of each sample of WebDataset. Images without a class have no label.
    fn add(&mut self, prefix: &str, members: &ArchiveMembers) {
        for name in members.names() {
            let Some((key, _)) = key(name).filter(is_image) else { continue };
            match class(members, key) {
                Ok(label) => {
                    let folder = self.folder(&label, &label);
                    self.candidate(format!("{prefix}{name}"), folder);
                }
                Err(fault) => refuse(self.listing, format!("{prefix}{name}"), Reason::Other(fault)),
            }
        }
        self.refuse_skipped(prefix, members);
    }

    fn refuse_skipped(&mut self, prefix: &str, members: &ArchiveMembers) {
        self.listing.refused.extend(refusals(prefix, members));
    }
}

/// What looks like an image and cannot be read.
fn refusals(prefix: &str, members: &ArchiveMembers) -> Vec<Refused> {
    let is_wanted = |entry: &&SkippedEntry| {
        is_image_path(&entry.name.trim_start_matches(['.', '/']))
            && key(&entry.name).is_some_and(|key| is_image(&key))
    };
    let refuse = |SkippedEntry { name, reason }: &SkippedEntry| {
        let reason = Reason::Other(reason.clone());
        Refused { path: format!("{prefix}{name}"), image_sha256: None, reason }
    };
    members.skipped().iter().filter(is_wanted).map(refuse).collect()
}

/// The class of a sample; empty without one.
fn class(members: &ArchiveMembers, key: &str) -> std::result::Result<String, String> {
    let name = format!("{key}.{CLASS}");
    if members.size(&name).is_none() {
        return Ok(String::new());
    }
    let bytes = members.read(&name).map_err(|e| format!("its class in {name} could not be read: {e}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("its class in {name} is not UTF-8"))?;
    match text.trim() {
        UNLABELLED => Err(format!("{UNLABELLED} in {name} is no class")),
        text => Ok(text.to_string()),
    }
}

/// Whether a name with this extension is that of an image.
fn is_image((_, extension): &(&str, String)) -> bool {
    IMAGES.contains(&extension.as_str())
}

/// Splits a name at the first dot of its last part: the key of its sample and its extension.
fn key(name: &str) -> Option<(&str, String)> {
    let start = name.rfind('/').map_or(0, |at| at + 1);
    let dot = start + name[start..].find('.')?;
    Some((&name[..dot], name[dot + 1..].to_lowercase()))
}
