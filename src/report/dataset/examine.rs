//! What is known about a data set: counts of every kind, duplicates and, with a cache, what its features show.

use super::cache::OpenCache;
use super::duplicates::{self, DuplicateGroup};
use super::examples::{self, ClassExamples};
use super::label_issues::{self, LabelIssues};
use super::near_duplicates::{self, NearDuplicates};
use super::sizes::{self, ImageSizes};
use super::splits::{self, ClassSplits};
use super::variants::{self, VariantPreview};
use crate::cache::Samples;
use crate::data::dataset::LayoutChoice;
use crate::data::manifest::ManifestOptions;
use crate::data::scan::ScanDepth;
use crate::data::{ImageFolder, SummaryConfig, SummaryStats};
use crate::error::{Kind, Result};
use crate::monitor::Monitor;
use crate::report::map::FeatureMap;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;

/// Configuration of [`examine`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DatasetConfig {
    /// Folder of images, `IMAGES/<class>/**/<file>`, or a manifest.
    pub images: PathBuf,
    /// How a manifest is read; without meaning for a folder.
    pub manifest: ManifestOptions,
    /// A cache of these images, if there is one.
    pub cache: Option<PathBuf>,
    /// How folders that are called as splits are taken. `None` takes them as the cache does; without one as classes, with
    /// a remark.
    pub layout: Option<LayoutChoice>,
}

/// What a folder of labelled images holds.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetStats {
    /// The folder of images, absolute.
    #[serde(skip)]
    pub root: PathBuf,
    /// The result of [`summary`](crate::data::summary()).
    #[serde(flatten)]
    pub summary: SummaryStats,
    /// Widths and heights.
    pub sizes: ImageSizes,
    /// Groups of files with the same bytes.
    pub duplicates: Vec<DuplicateGroup>,
    /// Variants of one image; `None` without a usable file.
    pub augmentation: Option<VariantPreview>,
    /// Images of each class and split, the largest class first; with a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<ClassSplits>>,
    /// Images of different splits that are nearly the same; with a cache, unless it has too many images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicates: Option<NearDuplicates>,
    /// Labels that may be wrong; with a cache, unless it has too few images or too many.
    #[serde(rename = "doubtful_labels", skip_serializing_if = "Option::is_none")]
    pub label_issues: Option<LabelIssues>,
    /// The images in two dimensions; with a cache.
    #[serde(skip)]
    pub map: Option<FeatureMap>,
    /// Example files of each class, the largest class first.
    #[serde(skip)]
    pub examples: Vec<ClassExamples>,
}

/// Reads every file below a folder of images once and describes the data set. Nothing in the folder changes.
///
/// # Errors
/// Those of [`summary`](crate::data::summary()); [`Kind::Cache`] when the cache cannot be read or holds none of the images.
pub fn examine(config: &DatasetConfig, monitor: &dyn Monitor) -> Result<DatasetStats> {
    let cache = config.cache.as_deref().map(OpenCache::open).transpose()?;
    let samples = cache.as_ref().map(|cache| &cache.samples);
    let layout = config.layout.or(samples.and_then(|samples| samples.choice_for(&config.images)));
    let summary_config = SummaryConfig {
        images: config.images.clone(),
        depth: ScanDepth::Pixels,
        layout,
        manifest: config.manifest.clone(),
        near_duplicates: true,
        ..SummaryConfig::default()
    };
    let earlier = samples.map(Samples::as_earlier_scan);
    let images = ImageFolder::scan(&summary_config, earlier, monitor)?;
    if let Some(cache) = &cache {
        cache.check_holds(&images)?;
    }
    let mut stats = DatasetStats {
        sizes: sizes::count(&images.files),
        duplicates: duplicates::find(&images),
        augmentation: variants::preview(&images, cache.as_ref())?,
        splits: cache.as_ref().map(|cache| splits::count(&cache.samples)),
        near_duplicates: None,
        label_issues: None,
        map: None,
        examples: examples::select(&images),
        root: images.root,
        summary: images.stats,
    };
    if let Some(cache) = &cache {
        stats.map = FeatureMap::of(&cache.features, &cache.samples, &stats.root, &HashMap::new())?;
        let pairs = near_duplicates::find(cache, monitor);
        stats.near_duplicates = if_possible("near-duplicates", pairs, monitor)?;
        let issues = label_issues::find(&cache.path, monitor);
        stats.label_issues = if_possible("label issues", issues, monitor)?;
    }
    Ok(stats)
}

/// Turns [`Kind::Input`] (too many, too few or incomplete images) into a warning: the page can do without `what`.
fn if_possible<T>(what: &str, found: Result<T>, monitor: &dyn Monitor) -> Result<Option<T>> {
    match found {
        Err(error) if error.kind() == Kind::Input => {
            monitor.warn(&format!("without {what}: {}", error.with_causes()));
            Ok(None)
        }
        found => found.map(Some),
    }
}
