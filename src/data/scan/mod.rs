//! Scans a folder or a manifest of labelled images: finds the files and reads what they are, skipping files that did not change.

mod any_depth;
mod archive;
mod found;
mod known;
mod labels;
mod layout;
mod listed_files;
mod manifest;
mod names;
mod objects;
mod options;
mod passed_over;
mod scanner;
mod source;
mod walk;

pub use any_depth::{files_of, list_files};
pub use found::{FoundFile, FoundFiles};
pub use known::{EarlierScan, RefusedFiles};
pub use listed_files::ListedFiles;
pub(in crate::data) use manifest::GivenLabels;
pub use manifest::lines_of;
pub use options::{ScanDepth, ScanOptions};
pub use passed_over::{PassedOver, is_passed_over};
pub use source::source_digest;

use crate::data::dataset::{
    FolderLayout, ImageFile, Refused, Sample, label_set, number_and_names, still_unlabelled,
};
use crate::data::manifest::ManifestOptions;
use crate::error::{Error, Kind, Result, counted};
use crate::io::archive::{inside_archive, is_archive};
use crate::io::store::{Location, is_object_storage};
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Silent, Unit};
use labels::{FileCount, Labels};
use scanner::{ScannedFile, Scanner};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use walk::{Candidate, Listing};

/// Result of a scan.
#[derive(Debug)]
pub struct ScanResult {
    /// The folder that paths start from, absolute.
    pub root: PathBuf,
    /// What its folders stand for.
    pub layout: FolderLayout,
    /// The manifest that was read, absolute; `None` for a folder.
    pub manifest: Option<PathBuf>,
    /// Usable files, by class folder, then by path.
    pub files: Vec<ImageFile>,
    /// Usable files without a label, with neither split nor class, by path; also those whose bytes have one elsewhere.
    pub unlabelled: Vec<ImageFile>,
    /// Files and folders that cannot be used, by path.
    pub refused: Vec<Refused>,
    /// Labels of all class folders, also of those without a usable file, or all labels of a manifest; sorted, each once.
    pub labels: Vec<String>,
    /// Numbers of files that programs and systems left there and that were passed over, by name.
    pub passed_over: PassedOver,
}

/// Scans all files below the class folders of `images`, on all cores.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, or its folders are not the splits that were chosen; [`Kind::Usage`] when a
/// layout must be chosen; [`Kind::Interrupted`] when the monitor was interrupted.
pub fn scan(images: &Path, options: &ScanOptions, monitor: &dyn Monitor) -> Result<ScanResult> {
    let listing = list(images, options)?;
    let notes: &dyn Monitor = if options.notes { monitor } else { &Silent };
    listing.notes.iter().for_each(|note| notes.note(note));
    let known: &[Sample] = options.earlier.map_or(&[], |earlier| earlier.samples);
    let scanner = Scanner::new(&listing.root, options).with_objects(listing.objects.as_ref());
    let outcomes = scan_all(images, &listing.candidates, &scanner, monitor)?;
    scanner.narrow.report(notes);
    let found = match listing.layout {
        FolderLayout::Manifest => labels::as_named(&listing.folders),
        layout => labels::of_folders(&listing.folders, &counts(&listing, &outcomes), layout, known),
    };
    found.notes.iter().for_each(|note| notes.note(note));
    let result = result(listing, outcomes, found);
    match still_unlabelled(&result.unlabelled, &result.files).len() {
        0 => {}
        images => notes.note(&format!("images without a label: {images}")),
    }
    let used: BTreeSet<&str> =
        result.files.iter().flat_map(|file| file.labels_or_class()).map(String::as_str).collect();
    let empty: Vec<&str> =
        result.labels.iter().map(String::as_str).filter(|label| !used.contains(label)).collect();
    if !empty.is_empty() && !used.is_empty() {
        notes.note(&format!("class folders without a usable file: {}", number_and_names(&empty)));
    }
    Ok(result)
}

/// Files that have to be read.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnknownFiles {
    /// The folder that paths start from, absolute.
    pub root: PathBuf,
    /// Paths relative to it, sorted.
    pub paths: Vec<String>,
}

/// Lists the files below the class folders of `images` that [`scan`] would have to read. Opens none of them.
///
/// # Errors
/// Those of [`scan`].
pub fn unknown_files(images: &Path, options: &ScanOptions, monitor: &dyn Monitor) -> Result<UnknownFiles> {
    let listing = list(images, options)?;
    let scanner = Scanner::new(&listing.root, options).with_objects(listing.objects.as_ref());
    let task = monitor.task("looking at files", Some(listing.candidates.len() as u64), Unit::Images);
    let known = in_parallel(parallel::thread_count(0), &listing.candidates, |candidate| {
        check_interrupted(images, monitor)?;
        task.advance(1);
        Ok(scanner.is_known(candidate))
    })?;
    let unknown = listing.candidates.iter().zip(known).filter(|(_, is_known)| !is_known);
    let mut paths: Vec<String> = unknown.map(|(candidate, _)| candidate.path.clone()).collect();
    paths.sort_unstable();
    paths.dedup();
    Ok(UnknownFiles { root: listing.root.clone(), paths })
}

/// Reads the file `path` below `root` for a scan elsewhere.
pub fn find_out(root: &Path, path: &str) -> FoundFile {
    Scanner::new(root, &ScanOptions::new(ScanDepth::Header)).find_out(path)
}

/// Checks that images are files: objects in object storage are read by workers.
///
/// # Errors
/// [`Kind::Usage`] when `images` or the root of `manifest` is a URL of object storage.
pub fn require_files(images: &Path, manifest: &ManifestOptions) -> Result<()> {
    let mut places = [Some(images), manifest.root.as_deref()].into_iter().flatten();
    match places.find(|place| is_object_storage(place)) {
        None => Ok(()),
        Some(url) => {
            Err(Error::new(Kind::Usage, "images in object storage are read by workers alone").at(url).help(
                "plan them with `extract` and `plan`, and start workers; or copy the images into a folder",
            ))
        }
    }
}

/// Whether `images` is a folder of folders: no archive, no manifest, and no folder of tar files.
pub fn is_folder_of_folders(images: &Path) -> bool {
    images.is_dir() && !archive::is_shards(images)
}

/// Whether `images` is a manifest that gives images several labels. No image is opened.
///
/// # Errors
/// Those of [`scan`] for a manifest.
pub fn names_label_sets(images: &Path, options: &ManifestOptions) -> Result<bool> {
    let is_manifest = images.is_file() && !is_archive(images);
    Ok(is_manifest && manifest::list(images, options)?.has_label_sets)
}

/// Lists the files of a folder, which may be in object storage, an archive or a manifest.
fn list(images: &Path, options: &ScanOptions) -> Result<Listing> {
    let (images, is_remote) = match Location::parse(images)? {
        Location::Folder(images) => (images, false),
        Location::Url(url) => (PathBuf::from(url.text), true),
    };
    let images = images.as_path();
    let usual = &ManifestOptions::default();
    let manifest = options.manifest.unwrap_or(usual);
    if options.found.is_none() {
        require_files(images, manifest)?;
    }
    if let Some((archive, _)) = inside_archive(images) {
        let message = "a folder inside an archive cannot be given";
        return Err(Error::new(Kind::Input, message).at(images).help(format!(
            "give the archive, {}, or a manifest that names the files in it",
            archive.display()
        )));
    }
    let refuse = |message: &str, help: &str| Err(Error::new(Kind::Usage, message).at(images).help(help));
    match images.is_file() {
        true if options.layout.is_some() && !is_archive(images) => refuse(
            "a manifest has no folders of splits or classes",
            "leave `split_folders` and `as_classes` out",
        ),
        true if is_archive(images) && manifest != usual => {
            refuse("an archive: only a manifest has a root and columns", "leave `root` and the columns out")
        }
        true if is_archive(images) => archive::list(images, options.layout, options.must_choose),
        true => manifest::list(images, manifest),
        false if (is_remote || images.is_dir()) && manifest != usual => {
            refuse("a folder: only a manifest has a root and columns", "leave `root` and the columns out")
        }
        false if is_remote => objects::list(images, options.layout, options.must_choose),
        false if options.layout.is_none() && archive::is_shards(images) => archive::list_shards(images),
        false => walk::list(images, options.layout, options.must_choose),
    }
}

/// Counts the files of each class folder.
fn counts(listing: &Listing, outcomes: &[ScannedFile]) -> Vec<FileCount> {
    let mut counts = vec![FileCount::default(); listing.folders.len()];
    for (candidate, outcome) in listing.candidates.iter().zip(outcomes) {
        let count = &mut counts[candidate.folder];
        count.all += 1;
        count.usable += usize::from(outcome.is_ok());
    }
    counts
}

/// Sorts the files into those that can be used, with their labels, and the others.
fn result(listing: Listing, outcomes: Vec<ScannedFile>, found: Labels) -> ScanResult {
    let (mut files, mut unlabelled) = (Vec::new(), Vec::new());
    let mut refused = listing.refused;
    for (candidate, outcome) in listing.candidates.iter().zip(outcomes) {
        let (label, group) = (found.labels[candidate.folder].clone(), candidate.group.clone());
        let weight = candidate.weight;
        match outcome {
            Ok(file) if label.is_empty() => {
                unlabelled.push(ImageFile { label, labels: None, fixed_split: None, group, weight, ..file });
            }
            Ok(file) => {
                let labels = listing.has_label_sets.then(|| label_set(&label));
                let fixed_split = candidate.split;
                files.push(ImageFile { label, labels, fixed_split, group, weight, ..file });
            }
            Err(refusal) => refused.push(refusal),
        }
    }
    refused.sort();
    let names = found.labels.into_iter().filter(|label| !label.is_empty());
    let labels: BTreeSet<String> = match listing.has_label_sets {
        true => names.flat_map(|text| label_set(&text)).collect(),
        false => names.collect(),
    };
    let labels = labels.into_iter().collect();
    let (root, layout, passed_over) = (listing.root, listing.layout, listing.passed_over);
    let manifest = listing.manifest;
    ScanResult { root, layout, manifest, files, unlabelled, refused, labels, passed_over }
}

/// Returns the error for a folder without usable images that have a label.
pub fn no_images(images: &Path, unlabelled: usize, refused: &[Refused]) -> Error {
    let is_manifest = images.is_file() && !is_archive(images);
    let message = match refused.first() {
        None if unlabelled > 0 => format!("none of {} has a label", counted(unlabelled, "image")),
        None if is_manifest => "it names no image".to_string(),
        None => "no images in class folders".to_string(),
        Some(first) => {
            format!("no file can be used; the first of {}: {}: {}", refused.len(), first.path, first.reason)
        }
    };
    let help = match is_archive(images) && images.is_file() {
        _ if is_manifest => "give a row with a path and a label for each image",
        true => {
            "put a folder of images for each class into the archive; or, in a .tar, a file KEY.cls with the class beside each KEY.jpg"
        }
        false => "give IMAGES/<class>/<file>: one folder of images for each class",
    };
    Error::new(Kind::Input, message).at(images).help(help)
}

/// Scans the candidates in parallel. The results are in their order.
fn scan_all(
    images: &Path,
    candidates: &[Candidate],
    scanner: &Scanner,
    monitor: &dyn Monitor,
) -> Result<Vec<ScannedFile>> {
    let task = monitor.task("reading files", Some(candidates.len() as u64), Unit::Images);
    let outcomes = in_parallel(parallel::thread_count(0), candidates, |candidate| {
        check_interrupted(images, monitor)?;
        let outcome = scanner.scan(candidate);
        task.advance(1);
        Ok(outcome.map_err(|refusal| refusal.of(candidate)))
    })?;
    check_interrupted(images, monitor)?;
    Ok(outcomes)
}

fn check_interrupted(images: &Path, monitor: &dyn Monitor) -> Result<()> {
    if !monitor.is_interrupted() {
        return Ok(());
    }
    let message = "interrupted while the files were being read";
    let help = "run the same command again; rows that were computed are kept";
    Err(Error::new(Kind::Interrupted, message).at(images).help(help))
}
