//! Checks every part of a cache, and moves damaged ones out of the way. Checks whether images are still those described.

use super::reader::FeatureCache;
use super::refused::read_refused;
use super::writer::CacheWriter;
use crate::data::dataset::Sample;
use crate::error::{Error, Kind, Result};
use crate::io::digest::sha256_file;
use crate::math::parallel::{self, in_parallel};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Settings of [`verify`].
#[derive(Debug, Clone, Default)]
pub struct VerifyConfig {
    /// Whether damaged parts stay where they are.
    pub dry_run: bool,
    /// Folder of the images that the cache describes, to be read and compared; `None` leaves them alone.
    pub images: Option<PathBuf>,
}

/// Result of [`verify`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VerifyStats {
    /// Number of parts that were checked.
    pub parts: usize,
    /// Paths of the damaged parts, after they were moved.
    pub damaged: Vec<String>,
    /// How the images compare with their description; `None` when they were not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageCheck>,
}

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

    /// Reads each file of `samples` below the folder `images`.
    fn of(samples: &[Sample], images: &Path, monitor: &dyn Monitor) -> Result<Self> {
        if !images.is_dir() {
            return Err(Error::new(Kind::Input, "no such folder of images").at(images));
        }
        let task = monitor.task("comparing images", Some(samples.len() as u64), Unit::Images);
        let states = in_parallel(parallel::number(0), samples, |sample| {
            if monitor.is_interrupted() {
                let error = Error::new(Kind::Interrupted, "interrupted while images were being compared");
                return Err(error.at(images));
            }
            task.advance(1);
            let file = images.join(&sample.file.path);
            Ok(match sha256_file(&file) {
                Ok(digest) if digest == sample.file.image_sha256 => State::Unchanged,
                Ok(_) => State::Changed,
                Err(_) if file.try_exists().is_ok_and(|exists| !exists) => State::Missing,
                Err(_) => State::Unreadable,
            })
        })?;
        let paths = |wanted: State| {
            let own = samples.iter().zip(&states).filter(|(_, state)| **state == wanted);
            own.map(|(sample, _)| sample.file.path.clone()).collect()
        };
        Ok(Self {
            unchanged: states.iter().filter(|state| **state == State::Unchanged).count(),
            changed: paths(State::Changed),
            missing: paths(State::Missing),
            unreadable: paths(State::Unreadable),
        })
    }
}

/// Checks the digest and the content of every part of the cache at `root`, and moves damaged ones to `damaged/` unless
/// `dry_run`. Also reads `samples.parquet` and `refused.parquet`, and compares the images, if they are given, with their
/// description. A warning reports each damaged part.
///
/// # Errors
/// [`Kind::Input`] when there is no folder of images, [`Kind::Interrupted`] when the monitor was interrupted;
/// [`Kind::Locked`] when another process writes, [`Kind::Io`] when a part cannot be read at all, [`Kind::Cache`] when
/// `samples.parquet` or `refused.parquet` is damaged.
pub fn verify(root: &Path, config: &VerifyConfig, monitor: &dyn Monitor) -> Result<VerifyStats> {
    let cache = FeatureCache::open(root)?;
    let writer = if config.dry_run { None } else { Some(CacheWriter::open_or_create(root, cache.spec())?) };
    let mut stats = cache.with_parts(|parts| {
        let task = monitor.task("verifying parts", Some(parts.len() as u64), Unit::Parts);
        let mut damaged = Vec::new();
        for part in parts {
            match part.rows(cache.spec().width) {
                Err(error) if error.kind() == Kind::Cache => {
                    monitor.warn(&error.with_causes());
                    let path = match &writer {
                        Some(writer) => writer.quarantine(part)?,
                        None => part.path.clone(),
                    };
                    damaged.push(path.display().to_string());
                }
                other => drop(other?),
            }
            task.advance(1);
        }
        Ok(VerifyStats { parts: parts.len(), damaged, images: None })
    })?;
    let samples = cache.samples()?;
    read_refused(root).map_err(|e| e.help("delete it: `extract` checks those files again"))?;
    if let Some(images) = &config.images {
        stats.images = Some(ImageCheck::of(&samples.rows, images, monitor)?);
    }
    Ok(stats)
}
