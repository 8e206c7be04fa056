//! A cache of the data set, opened to learn more about its images.

use crate::cache::{FeatureCache, Samples};
use crate::data::ImageFolder;
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// An open cache with its samples.
pub(super) struct OpenCache {
    pub path: PathBuf,
    pub features: FeatureCache,
    pub samples: Samples,
}

impl OpenCache {
    /// Opens the cache at `path`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when there is none or it is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let features = FeatureCache::open(path)?;
        let samples = features.samples()?;
        Ok(Self { path: path.to_path_buf(), features, samples })
    }

    /// Checks that the cache holds at least one of the images.
    ///
    /// # Errors
    /// [`Kind::Cache`] when it is a cache of other images.
    pub fn check_holds(&self, images: &ImageFolder) -> Result<()> {
        let known: HashSet<Digest> = self.samples.rows.iter().map(|row| row.file.image_sha256).collect();
        if images.files.iter().any(|file| known.contains(&file.image_sha256)) {
            return Ok(());
        }
        Err(Error::new(Kind::Cache, "it holds none of these images")
            .at(&self.path)
            .help("give the cache that `extract` made of these images, or leave `cache` out"))
    }
}
