//! Settings of an extraction.

use crate::backbone::BackboneChoice;
use crate::backbone::Device;
use crate::data::augment::Augmentation;
use crate::data::dataset::{Fractions, LayoutChoice};
use crate::data::group_pattern::GroupPattern;
use crate::data::manifest::ManifestOptions;
use crate::error::{Error, Kind, Result};
use crate::io::fs;
use crate::io::store::is_object_storage;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Default of [`ExtractConfig::commit_every`].
pub const COMMIT_EVERY: Duration = Duration::from_secs(15);

/// Settings of [`extract`](super::extract). In the default the paths are empty.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExtractConfig {
    /// Folder of images, `IMAGES/<class>/<file>`, or a manifest.
    pub images: PathBuf,
    /// How a manifest is read; without meaning for a folder.
    pub manifest: ManifestOptions,
    /// Groups images by their paths: those of a group are in one split. It replaces the groups of a manifest. `None` keeps
    /// the expression of the cache.
    pub group_by: Option<GroupPattern>,
    /// The cache to create or to complete.
    pub cache: PathBuf,
    /// Network, layer and preprocessing. What is not chosen is that of the cache; for a new cache it is the PreLogits of the
    /// machine's default backbone.
    pub backbone: BackboneChoice,
    /// Variants to compute besides the unchanged images.
    pub augment: Vec<Augmentation>,
    /// Splits whose images get these variants.
    pub augment_splits: AugmentSplits,
    /// How folders that are called as splits are taken. `None` keeps the way of the cache; for a new cache such folders are
    /// an error then.
    pub layout: Option<LayoutChoice>,
    /// Whether to read every file again, also those that look unchanged since the last extraction.
    pub rehash: bool,
    /// Fractions of the split; `None` keeps those of the cache, or takes the default for a new cache. Where splits are
    /// folders, they divide the images of the train folders among the splits that have no folder; the default takes none
    /// of them away.
    pub split: Option<Fractions>,
    /// Seed of the split; `None` keeps that of the cache, or takes 0 for a new cache.
    pub seed: Option<u64>,
    /// Device that runs the network.
    pub device: Device,
    /// Images in a batch, from 1 to 4096; `None` chooses by device.
    pub batch: Option<usize>,
    /// Number of threads, at most 1024; 0 uses all cores.
    pub threads: usize,
    /// Memory for decoding, in bytes, of all threads together; `None` takes half of what is free. A larger image is refused.
    pub decode_memory: Option<u64>,
    /// Longest time that computed rows stay in memory before they are written. A crash loses at most that much work.
    pub commit_every: Duration,
    /// Whether to report only what would be computed, without writing anything.
    pub dry_run: bool,
    /// Time to record in new parts, in seconds since 1970; 0, the default, records none.
    pub time: u64,
}

/// Splits whose images get variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AugmentSplits {
    /// The train split.
    #[default]
    Train,
    /// All splits.
    All,
}

impl Default for ExtractConfig {
    fn default() -> Self {
        Self {
            images: PathBuf::new(),
            manifest: ManifestOptions::default(),
            group_by: None,
            cache: PathBuf::new(),
            backbone: BackboneChoice::default(),
            augment: Vec::new(),
            augment_splits: AugmentSplits::default(),
            layout: None,
            rehash: false,
            split: None,
            seed: None,
            device: Device::Auto,
            batch: None,
            threads: 0,
            decode_memory: None,
            commit_every: COMMIT_EVERY,
            dry_run: false,
            time: 0,
        }
    }
}

impl ExtractConfig {
    /// Extracts `images` into `cache`, everything else by default.
    pub fn new(images: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self { images: images.into(), cache: cache.into(), ..Self::default() }
    }

    /// Checks the settings that can be checked without reading any file.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a setting out of range, or a cache inside the folder of images.
    pub(super) fn check(&self) -> Result<()> {
        self.check_resources()?;
        // The next scan would take a cache among the class folders for a class.
        if !is_object_storage(&self.images)
            && fs::resolve(&self.cache)?.starts_with(fs::resolve(&self.images)?)
        {
            return Err(Error::new(Kind::Usage, "the cache cannot be inside the folder of images")
                .at(&self.cache)
                .help("choose another folder for `cache`"));
        }
        Ok(())
    }

    /// Checks `batch` and `threads`.
    ///
    /// # Errors
    /// [`Kind::Usage`] for one that is out of range.
    pub(super) fn check_resources(&self) -> Result<()> {
        if !self.batch.is_none_or(|batch| (1..=4096).contains(&batch)) {
            return Err(Error::new(Kind::Usage, "`batch` must be from 1 to 4096"));
        }
        if self.threads > 1024 {
            return Err(Error::new(Kind::Usage, "`threads` must be at most 1024"));
        }
        Ok(())
    }
}

impl FromStr for AugmentSplits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "train" => Ok(Self::Train),
            "all" => Ok(Self::All),
            _ => Err(Error::not_one_of(text, "a choice of splits", &["train", "all"])),
        }
    }
}
