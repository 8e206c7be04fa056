//! A folder of labelled images on disk: finds its files and says what each is, reading only what changed since last
//! time. The only door to `rayon`. It refuses to know about splits, variants and features.

mod walk;

use crate::dataset::{ImageFile, Refused, number_and_names};
use crate::digest::{Digest, sha256};
use crate::error::{Error, Kind, Result};
use crate::image_io;
use crate::monitor::{Monitor, Silent, Unit};
use crate::store::Samples;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use walk::Listed;
pub use walk::is_passed_over;

/// How closely a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Its header: kind and size of the picture.
    Header,
    /// All of it: a picture that is damaged or cut short shows.
    Pixels,
}

/// What is known from before this look: the last description, and what was refused.
#[derive(Debug, Default)]
pub struct Memory {
    /// The last description.
    pub samples: Option<Arc<Samples>>,
    by_content: HashMap<Digest, String>,
    by_path: HashMap<String, String>,
}

/// What a look at the folder found.
#[derive(Debug)]
pub struct Found {
    /// The folder, absolute.
    pub root: PathBuf,
    /// Files that look usable, by class folder, then by path.
    pub files: Vec<ImageFile>,
    /// Files and folders that are not.
    pub refused: Vec<Refused>,
    /// The labels of all class folders, those without a usable file too; sorted.
    pub labels: Vec<String>,
}

impl Memory {
    /// Remembers refusals for content. One for an I/O fault (no digest) is tried again, and conflicts between labels
    /// are looked for anew.
    pub fn new(samples: Option<Samples>, refused: Vec<Refused>) -> Self {
        let mut memory = Self { samples: samples.map(Arc::new), ..Self::default() };
        for Refused { image_sha256, reason, .. } in refused {
            if let Some(hash) = image_sha256.filter(|_| !reason.starts_with("same bytes as ")) {
                memory.by_content.insert(hash, reason);
            }
        }
        memory
    }

    /// Adds what was refused later on: by content where it has a digest, by path for the rest of this run otherwise.
    pub fn refuse(&mut self, refused: Vec<Refused>) {
        for Refused { path, image_sha256, reason } in refused {
            match image_sha256 {
                Some(hash) => self.by_content.insert(hash, reason),
                None => self.by_path.insert(path, reason),
            };
        }
    }
}

/// Looks at every file of `IMAGES/<class>/**/<file>`, with all cores. The first look of a run says what is odd about the
/// folder.
///
/// # Errors
/// [`Kind::Input`] when there is no such folder, [`Kind::Interrupted`] when the monitor was.
pub fn scan(
    images: &Path,
    memory: &Memory,
    depth: Look,
    first_look: bool,
    monitor: &dyn Monitor,
) -> Result<Found> {
    let listing = walk::list(images)?;
    let notes: &dyn Monitor = if first_look { monitor } else { &Silent };
    listing.notes.iter().for_each(|note| notes.note(note));
    // Size and time say nothing about a file in another folder.
    let here = memory.samples.iter().filter(|samples| samples.root == listing.root);
    let before: HashMap<&str, &ImageFile> =
        here.flat_map(|samples| &samples.rows).map(|row| (row.file.path.as_str(), &row.file)).collect();
    let looked = look_at_all(&listing.files, &before, memory, depth, monitor);
    if monitor.is_interrupted() {
        return Err(Error::new(Kind::Interrupted, "interrupted while the files were being read")
            .at(images)
            .help("the same command begins anew; rows that were computed are kept"));
    }
    let mut found =
        Found { root: listing.root, files: Vec::new(), refused: listing.refused, labels: Vec::new() };
    for looked in looked {
        match looked {
            Ok(file) => found.files.push(file),
            Err(refused) => found.refused.push(refused),
        }
    }
    found.refused.sort();
    found.labels = BTreeSet::from_iter(listing.labels).into_iter().collect();
    let used: BTreeSet<&str> = found.files.iter().map(|file| file.label.as_str()).collect();
    let empty: Vec<&str> =
        found.labels.iter().map(String::as_str).filter(|label| !used.contains(label)).collect();
    if !empty.is_empty() && !used.is_empty() {
        notes.note(&format!("class folders without a usable file: {}", number_and_names(&empty)));
    }
    Ok(found)
}

type Looked = std::result::Result<ImageFile, Refused>;

/// Looks at each file, in order; at none any more once the monitor is interrupted.
fn look_at_all(
    files: &[Listed],
    before: &HashMap<&str, &ImageFile>,
    memory: &Memory,
    depth: Look,
    monitor: &dyn Monitor,
) -> Vec<Looked> {
    let task = monitor.task("reading files", Some(files.len() as u64), Unit::Images);
    let look_at = |listed: &Listed| {
        let looked = look(listed, before.get(listed.path.as_str()).copied(), memory, depth);
        task.advance(1);
        looked.map_err(|(image_sha256, reason)| Refused { path: listed.path.clone(), image_sha256, reason })
    };
    files.par_iter().take_any_while(|_| !monitor.is_interrupted()).map(look_at).collect()
}

/// The error for a folder without usable images.
pub fn no_images(images: &Path, refused: &[Refused]) -> Error {
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

type Refusal = (Option<Digest>, String);

fn look(
    listed: &Listed,
    before: Option<&ImageFile>,
    memory: &Memory,
    depth: Look,
) -> std::result::Result<ImageFile, Refusal> {
    let Listed { path, file, label } = listed;
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
            return Err((Some(before.image_sha256), reason.clone()));
        }
        return Ok(ImageFile { label: label.clone(), ..before.clone() });
    }
    let bytes = image_io::read(file).map_err(|reason| (None, reason))?;
    let image_sha256 = sha256(&bytes);
    if let Some(reason) = memory.by_content.get(&image_sha256) {
        return Err((Some(image_sha256), reason.clone()));
    }
    let size = image_io::dimensions(&bytes);
    let size = match depth {
        Look::Header => size,
        Look::Pixels => size.and_then(|size| image_io::decode(&bytes).map(|_| size)),
    };
    match size {
        Ok((width, height)) => Ok(ImageFile {
            path: path.clone(),
            label: label.clone(),
            image_sha256,
            width,
            height,
            bytes: bytes.len() as u64,
            mtime_ns,
        }),
        Err(reason) => Err((Some(image_sha256), reason)),
    }
}
