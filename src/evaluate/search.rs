//! Searches a cache for the images that are most like given ones, by the direction of their features.

use crate::backbone::registry::default_models;
use crate::backbone::{BackboneSearch, Device, ImageEmbedder, SessionOptions};
use crate::cache::near_images::{self, Neighbour};
use crate::cache::{FeatureCache, Samples};
use crate::data::dataset::{Reason, Refused};
use crate::error::{Error, Kind, Result};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::PathBuf;

/// Settings of [`search`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SearchConfig {
    /// The cache.
    pub cache: PathBuf,
    /// Image files.
    pub images: Vec<PathBuf>,
    /// Number of nearest cached images to find for each image, at least 1.
    pub neighbours: usize,
    /// Where the backbone runs.
    pub device: Device,
    /// The ONNX file of the backbone; `None` looks where it was, near the cache and in `models`.
    pub backbone: Option<PathBuf>,
    /// Folder of built backbones.
    pub models: PathBuf,
}

/// The images of a cache that are most like an image file.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SearchedFile {
    /// The path as given.
    pub path: String,
    /// Nearest first; empty for a file that cannot be used.
    pub neighbours: Vec<Neighbour>,
    /// Why the file cannot be used; `None` if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Default for SearchConfig {
    fn default() -> Self {
        let (cache, images, models) = (PathBuf::new(), Vec::new(), default_models());
        Self { cache, images, neighbours: 10, device: Device::Auto, backbone: None, models }
    }
}

impl SearchConfig {
    /// Searches `cache` for each of `images`, everything else by default.
    pub fn new(cache: impl Into<PathBuf>, images: Vec<PathBuf>) -> Self {
        Self { cache: cache.into(), images, ..Self::default() }
    }
}

impl SearchedFile {
    /// The refusal of a file that cannot be used.
    pub fn refusal(&self) -> Option<Refused> {
        let reason = self.reason.clone()?;
        Some(Refused { path: self.path.clone(), image_sha256: None, reason })
    }
}

/// Finds the images of a cache that are nearest to each image file, in the order given. The features of the files are computed as
/// those of the cache were; each part of the cache is read once.
///
/// # Errors
/// [`Kind::Usage`] when `neighbours` is 0; those of opening the cache and its backbone; [`Kind::Cache`] when a part is damaged;
/// [`Kind::Interrupted`] when the monitor asks to stop.
pub fn search(config: &SearchConfig, monitor: &dyn Monitor) -> Result<Vec<SearchedFile>> {
    if config.neighbours == 0 {
        return Err(Error::new(Kind::Usage, "`neighbours` must be at least 1"));
    }
    let cache = FeatureCache::open(&config.cache)?;
    let samples = cache.samples()?;
    let mut files = Vec::new();
    let mut features = Vec::new();
    let mut embedder = open_embedder(&cache, config, monitor)?;
    let task = monitor.task("embedding", Some(config.images.len() as u64), Unit::Images);
    for path in &config.images {
        if monitor.is_interrupted() {
            return Err(Error::new(Kind::Interrupted, "interrupted before the last image was embedded"));
        }
        let reason = match embedder.embed_file(path)? {
            Ok(row) => {
                features.push(row);
                None
            }
            Err(reason) => Some(reason),
        };
        let path = path.to_string_lossy().into_owned();
        files.push(SearchedFile { path, neighbours: Vec::new(), reason });
        task.advance(1);
    }
    add_neighbours(&mut files, &features, (&cache, &samples), config.neighbours)?;
    Ok(files)
}

fn add_neighbours(
    files: &mut [SearchedFile],
    features: &[Vec<f32>],
    (cache, samples): (&FeatureCache, &Samples),
    most: usize,
) -> Result<()> {
    let usable = files.iter_mut().filter(|file| file.reason.is_none());
    let found = near_images::nearest(cache, samples, features, most)?;
    usable.zip(found).for_each(|(file, found)| file.neighbours = found);
    Ok(())
}

fn open_embedder(
    cache: &FeatureCache,
    config: &SearchConfig,
    monitor: &dyn Monitor,
) -> Result<ImageEmbedder> {
    let search =
        BackboneSearch { models: &config.models, given: config.backbone.as_deref(), near: &config.cache };
    let resolved = cache.spec().resolve_backbone(search)?;
    ImageEmbedder::open_resolved(&resolved, SessionOptions::new(config.device), monitor)
}
