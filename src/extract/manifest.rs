//! Finds the image files below a folder and says what each is, reading only what changed since last time.

use crate::dataset::{ImageFile, Refused, labels};
use crate::digest::sha256;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::image_io;
use crate::monitor::{Monitor, Silent, Unit};
use crate::store::Samples;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What is known from before this look: the last description, and what was refused.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The last description.
    pub samples: Option<Samples>,
    by_content: HashMap<String, String>,
    by_path: HashMap<String, String>,
}

/// What a look at the folder found.
#[derive(Debug)]
pub(super) struct Found {
    /// The folder, absolute.
    pub root: PathBuf,
    /// Files that look usable.
    pub files: Vec<ImageFile>,
    /// Files that are not.
    pub refused: Vec<Refused>,
}

impl Memory {
    /// Remembers refusals for content. One for an I/O fault (no digest) is tried again, and conflicts between labels
    /// are looked for anew.
    pub fn new(samples: Option<Samples>, refused: Vec<Refused>) -> Self {
        let mut memory = Self { samples, ..Self::default() };
        for Refused { image_sha256, reason, .. } in refused {
            if let Some(hash) = image_sha256.filter(|_| !reason.starts_with("same bytes as ")) {
                memory.by_content.insert(hash, reason);
            }
        }
        memory
    }

    /// Adds what the pipeline refused: by content where it has a digest, by path for the rest of this run otherwise.
    pub fn refuse(&mut self, refused: Vec<Refused>) {
        for Refused { path, image_sha256, reason } in refused {
            match image_sha256 {
                Some(hash) => self.by_content.insert(hash, reason),
                None => self.by_path.insert(path, reason),
            };
        }
    }
}

/// Looks at `IMAGES/<class>/<file>`; the first look of a run says what it passes over. Hidden files, and those that desktops leave in folders, are passed over.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, or none of class folders in it.
pub(super) fn scan(images: &Path, memory: &Memory, first_look: bool, monitor: &dyn Monitor) -> Result<Found> {
    let root = std::fs::canonicalize(images).map_err(|e| {
        Error::new(Kind::Input, "no such folder of images")
            .at(images)
            .because(e)
            .help("give a folder that holds one folder of images for each class")
    })?;
    if !root.is_dir() {
        return Err(Error::new(Kind::Input, "not a folder").at(images).help("give IMAGES/<class>/<file>"));
    }
    let (folders, stray): (Vec<_>, Vec<_>) = fs::list(&root)?
        .into_iter()
        .filter(|(name, _)| !is_passed_over(name))
        .partition(|(_, path)| path.is_dir());
    let notes: &dyn Monitor = if first_look { monitor } else { &Silent };
    if !stray.is_empty() {
        notes.note(&format!("files directly in {} belong to no class: {}", images.display(), stray.len()));
    }
    let names: Vec<String> = folders.iter().map(|(name, _)| name.clone()).collect();
    let mut listed = Vec::new();
    let mut nested = 0;
    for ((folder, path), label) in folders.into_iter().zip(labels(&names)) {
        for (name, path) in fs::list(&path)?.into_iter().filter(|(name, _)| !is_passed_over(name)) {
            match path.is_dir() {
                true => nested += 1,
                false => listed.push((format!("{folder}/{name}"), path, label.clone())),
            }
        }
    }
    if nested > 0 {
        notes.note(&format!("folders inside class folders were not looked into: {nested}"));
    }
    // Size and time say nothing about a file in another folder.
    let here = memory.samples.iter().filter(|samples| samples.root == root);
    let before: HashMap<&str, &ImageFile> =
        here.flat_map(|samples| &samples.rows).map(|row| (row.file.path.as_str(), &row.file)).collect();
    let task = monitor.task("reading files", Some(listed.len() as u64), Unit::Images);
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    for (path, file, label) in listed {
        match look(&path, &file, label, before.get(path.as_str()).copied(), memory) {
            Ok(file) => files.push(file),
            Err((image_sha256, reason)) => refused.push(Refused { path, image_sha256, reason }),
        }
        task.advance(1);
    }
    Ok(Found { root, files, refused })
}

/// The error for a folder without usable images.
pub(super) fn no_images(images: &Path, refused: &[Refused]) -> Error {
    let message = match refused.first() {
        None => "no images in class folders".to_string(),
        Some(first) => {
            format!("no file can be used; the first of {}: {}: {}", refused.len(), first.path, first.reason)
        }
    };
    Error::new(Kind::Input, message)
        .at(images)
        .help("give IMAGES/<class>/<file>: one folder of images for each class")
}

fn is_passed_over(name: &str) -> bool {
    name.starts_with('.') || ["thumbs.db", "desktop.ini"].contains(&name.to_lowercase().as_str())
}

type Refusal = (Option<String>, String);

fn look(
    path: &str,
    file: &Path,
    label: String,
    before: Option<&ImageFile>,
    memory: &Memory,
) -> std::result::Result<ImageFile, Refusal> {
    if path.contains(char::REPLACEMENT_CHARACTER) {
        return Err((None, "its name is not UTF-8".into()));
    }
    if let Some(reason) = memory.by_path.get(path) {
        return Err((None, reason.clone()));
    }
    let unread = |e: std::io::Error| (None, format!("could not be read: {e}"));
    let metadata = std::fs::metadata(file).map_err(unread)?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mtime_ns = modified.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    if let Some(before) =
        before.filter(|b| (b.bytes, b.mtime_ns) == (metadata.len(), mtime_ns) && mtime_ns != 0)
    {
        if let Some(reason) = memory.by_content.get(&before.image_sha256) {
            return Err((Some(before.image_sha256.clone()), reason.clone()));
        }
        return Ok(ImageFile { label, ..before.clone() });
    }
    let bytes = image_io::read(file).map_err(|reason| (None, reason))?;
    let image_sha256 = sha256(&bytes);
    if let Some(reason) = memory.by_content.get(&image_sha256) {
        return Err((Some(image_sha256), reason.clone()));
    }
    match image_io::dimensions(&bytes) {
        Ok((width, height)) => Ok(ImageFile {
            path: path.into(),
            label,
            image_sha256,
            width,
            height,
            bytes: bytes.len() as u64,
            mtime_ns,
        }),
        Err(reason) => Err((Some(image_sha256), reason)),
    }
}
