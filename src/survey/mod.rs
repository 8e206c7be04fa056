//! A folder of images as a page, to be looked at before anything is trained: what `data summary` counts, with pictures; how
//! variants come about and enter the network; with a cache, what its features tell of the data.

mod copies;
mod doubts;
mod examples;
mod plots;
mod preview;
mod sheet;
mod sizes;
mod tables;
mod twins;

pub use copies::Copies;
pub use doubts::{Suspect, Suspects};
pub use preview::{Preview, Varied};
pub use sizes::{Size, Sizes};
pub use twins::{Side, Twin, Twins};

use crate::data::{Looked, SummaryConfig, SummaryStats, look};
use crate::dataset::{Split, split_counts};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::images::Look;
use crate::monitor::Monitor;
use crate::places::{Places, Written};
use crate::store::{FeatureCache, Samples};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// What `data report` was asked for.
#[derive(Debug, Clone)]
pub struct SurveyConfig {
    /// `IMAGES/<class>/**/<file>`.
    pub images: PathBuf,
    /// A cache of them, if there is one.
    pub cache: Option<PathBuf>,
    /// Where the page goes.
    pub page: Places,
}

/// What a folder holds, and what was written about it.
#[derive(Debug, Clone, Serialize)]
pub struct SurveyStats {
    /// As `data summary` tells it.
    #[serde(flatten)]
    pub summary: SummaryStats,
    /// Widths and heights.
    pub sizes: Sizes,
    /// Files of the same bytes.
    pub duplicates: Vec<Copies>,
    /// Variants of one image; `None` without a usable file.
    pub augmentation: Option<Preview>,
    /// Images of each class and split, with a cache; the largest class first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<ClassSplits>>,
    /// Images of different splits that are nearly the same, with a cache of not too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicates: Option<Twins>,
    /// Labels that may be wrong, with a cache of enough images to divide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubtful_labels: Option<Suspects>,
    /// The page.
    pub page: Written,
}

/// Files of a class in each split, as a cache has them.
#[derive(Debug, Clone, Serialize)]
pub struct ClassSplits {
    /// The class.
    pub name: String,
    /// Files in train, validation and test, by the split's name.
    pub splits: BTreeMap<&'static str, usize>,
}

/// The page of a folder of images, where none is named: in the current folder, called after the images.
///
/// # Errors
/// When the current folder cannot be found.
pub fn default_page(images: &Path) -> Result<PathBuf> {
    let place = fs::resolve(images)?;
    let name = place.file_name().map_or("images".into(), |name| name.to_string_lossy().into_owned());
    Ok(PathBuf::from(format!("{name}-report.html")))
}

/// A cache that belongs to the folder.
struct Cached {
    path: PathBuf,
    store: FeatureCache,
    samples: Samples,
}

/// Looks at every file below a folder of images, once, and writes a page about them. Nothing in the folder changes.
///
/// # Errors
/// Those of `data summary`; [`Kind::Usage`] when something is to be written into the images or the cache; [`Kind::Cache`]
/// when the cache cannot be read or holds none of the images; [`Kind::Input`] when a file that is no page of
/// headstart stands where the page belongs.
pub fn survey(config: &SurveyConfig, monitor: &dyn Monitor) -> Result<SurveyStats> {
    config.page.check(Some(&config.images), None)?;
    let cached = config.cache.as_deref().map(open).transpose()?;
    let look_at = SummaryConfig { images: config.images.clone(), look: Look::Pixels };
    let looked = look(&look_at, monitor)?;
    if let Some(cached) = &cached {
        check_common(cached, &looked)?;
    }
    let mut stats = SurveyStats {
        summary: looked.stats.clone(),
        sizes: sizes::of(&looked.files),
        duplicates: copies::of(&looked),
        augmentation: None,
        splits: cached.as_ref().map(|cached| splits(&cached.samples)),
        near_duplicates: None,
        doubtful_labels: None,
        page: Written { out: config.page.out.clone(), bytes: 0, plots: Vec::new(), tables: Vec::new() },
    };
    if let Some(cached) = &cached {
        stats.near_duplicates = if_possible("near-duplicates", twins::of(cached, monitor), monitor)?;
        stats.doubtful_labels = if_possible("doubtful labels", doubts::of(&cached.path, monitor), monitor)?;
    }
    let preview = preview::of(&looked, cached.as_ref())?;
    stats.augmentation = preview.as_ref().map(|(preview, _)| preview.clone());
    let pictures = preview.map(|(_, pictures)| pictures).unwrap_or_default();
    let material = sheet::Material {
        looked: &looked,
        stats: &stats,
        pictures: &pictures,
        examples: &examples::of(&looked, monitor),
        copies: &copies::pictures(&looked, &stats.duplicates),
    };
    stats.page = config.page.write(&sheet::made(&material))?;
    Ok(stats)
}

fn open(path: &Path) -> Result<Cached> {
    let store = FeatureCache::open(path)?;
    let samples = store.samples()?;
    Ok(Cached { path: path.to_path_buf(), store, samples })
}

/// What the page can go without where the images are too many, too few or too incomplete for it.
fn if_possible<T>(what: &str, found: Result<T>, monitor: &dyn Monitor) -> Result<Option<T>> {
    match found {
        Err(error) if error.kind() == Kind::Input => {
            monitor.warn(&format!("without {what}: {}", error.with_causes()));
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// A cache of other images tells nothing of these.
fn check_common(cached: &Cached, looked: &Looked) -> Result<()> {
    let known: HashSet<Digest> = cached.samples.rows.iter().map(|row| row.file.image_sha256).collect();
    if looked.files.iter().any(|file| known.contains(&file.image_sha256)) {
        return Ok(());
    }
    Err(Error::new(Kind::Cache, "it holds none of these images")
        .at(&cached.path)
        .help("give the cache that `headstart extract IMAGES --cache CACHE` made, or leave --cache out"))
}

fn splits(samples: &Samples) -> Vec<ClassSplits> {
    let mut classes: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in &samples.rows {
        classes.entry(&row.file.label).or_default().push(row.clone());
    }
    let mut classes: Vec<_> = classes.into_iter().collect();
    classes.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
    let counted = classes.into_iter();
    counted.map(|(name, rows)| ClassSplits { name: name.into(), splits: split_counts(&rows) }).collect()
}

impl ClassSplits {
    /// Files in a split.
    pub fn of(&self, split: Split) -> usize {
        self.splits.get(split.name()).copied().unwrap_or(0)
    }
}
