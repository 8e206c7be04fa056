//! Compares image files with what a cache says of them.

use super::samples::Samples;
use crate::data::dataset::ImageFile;
use crate::data::manifest::ManifestFormat;
use crate::error::{Error, Kind, Result};
use crate::io::archive::{ArchiveMembers, inside_archive, is_archive};
use crate::io::digest::{Digest, sha256, sha256_file};
use crate::io::fs;
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Comparison of image files with their description in a cache. Paths are relative to the folder of images.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct ImageCheck {
    /// Number of files that have the bytes that were described.
    pub unchanged: usize,
    /// Files with other bytes than were described.
    pub changed: Vec<String>,
    /// Files that are gone.
    pub missing: Vec<String>,
    /// Files that cannot be read.
    pub unreadable: Vec<String>,
}

/// What became of an image file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unchanged,
    Changed,
    Missing,
    Unreadable,
}

impl ImageCheck {
    /// Whether all files are what was described.
    pub fn is_clean(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.unreadable.is_empty()
    }

    /// Reads each image of `samples` below `images`: a folder, an archive, or a manifest.
    pub(super) fn of(samples: &Samples, images: &Path, monitor: &dyn Monitor) -> Result<Self> {
        let root = &root(samples, images)?;
        let files: &[&ImageFile] = &samples.images().collect::<Vec<_>>();
        let task = monitor.task("comparing images", Some(files.len() as u64), Unit::Images);
        let states = in_parallel(parallel::thread_count(0), files, |described| {
            if monitor.is_interrupted() {
                let error = Error::new(Kind::Interrupted, "interrupted while images were being compared");
                return Err(error.at(images));
            }
            task.advance(1);
            let file = root.join(&described.path);
            Ok(match digest_of(&file) {
                Ok(digest) if digest == described.image_sha256 => State::Unchanged,
                Ok(_) => State::Changed,
                Err(_) if is_missing(&file) => State::Missing,
                Err(_) => State::Unreadable,
            })
        })?;
        let paths = |wanted: State| {
            let own = files.iter().zip(&states).filter(|(_, state)| **state == wanted);
            own.map(|(file, _)| file.path.clone()).collect()
        };
        Ok(Self {
            unchanged: states.iter().filter(|state| **state == State::Unchanged).count(),
            changed: paths(State::Changed),
            missing: paths(State::Missing),
            unreadable: paths(State::Unreadable),
        })
    }
}

/// Where the paths of `samples` start, when their images are in `images`. Those of a manifest start from its folder, or from the
/// root that `extract` was given.
fn root(samples: &Samples, images: &Path) -> Result<PathBuf> {
    if !images.exists() {
        return Err(Error::new(Kind::Input, "no such folder of images, archive or manifest").at(images));
    }
    if images.is_dir() || is_archive(images) {
        return Ok(images.to_path_buf());
    }
    if ManifestFormat::of_table(images).is_none() {
        let message = "not a folder of images, an archive or a manifest";
        return Err(Error::new(Kind::Input, message).at(images).help("give what was given to `extract`"));
    }
    let given = samples.manifest.as_ref().and_then(|manifest| manifest.options.root.as_ref());
    Ok(given.map_or_else(|| fs::parent(images).to_path_buf(), |_| samples.root.clone()))
}

/// Whether there is no such file, which may be inside an archive.
fn is_missing(path: &Path) -> bool {
    match inside_archive(path) {
        Some((archive, name)) => {
            ArchiveMembers::open(&archive).is_ok_and(|members| members.size(&name).is_none())
        }
        None => path.try_exists().is_ok_and(|exists| !exists),
    }
}

/// The digest of a file, which may be inside an archive.
fn digest_of(path: &Path) -> Result<Digest> {
    let Some((archive, name)) = inside_archive(path) else { return sha256_file(path) };
    let bytes = ArchiveMembers::open(&archive)?.read(&name).map_err(|e| Error::io("read", path, e))?;
    Ok(sha256(&bytes))
}
