//! A summary of a cache. Rows are counted; digests are not checked.

use super::key::Key;
use super::part::Part;
use super::plan::{STAGING, read_kept};
use super::reader::{FeatureCache, distinct_keys};
use super::refused::read_refused;
use super::spec::Spec;
use crate::data::augment::Variant;
use crate::data::dataset::{Split, label_names, split_counts};
use crate::error::Result;
use crate::io::digest::Digest;
use crate::io::store::Store;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// Result of [`info`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CacheInfo {
    /// What the features are.
    pub spec: Spec,
    /// Path of the folder of images, as the last extraction saw it.
    pub root: String,
    /// Seed of the split.
    pub seed: u64,
    /// Percentages of the split, such as `70/5/25`.
    pub fractions: String,
    /// What the folders of images stand for: `class`, `split/class` or `class/split`.
    pub layout: String,
    /// Number of image files.
    pub samples: usize,
    /// Number of image files without a label.
    pub unlabelled: usize,
    /// Number of image files in train, validation and test.
    pub splits: BTreeMap<&'static str, usize>,
    /// Number of classes; of labels, where images have several.
    pub classes: usize,
    /// Whether images have several labels.
    #[serde(skip)]
    pub several_labels: bool,
    /// Number of files that could not be used.
    pub refused: usize,
    /// Number of parts.
    pub parts: usize,
    /// Number of distinct feature rows in all parts.
    pub rows: usize,
    /// Number of rows whose image is not among the samples.
    pub orphaned: usize,
    /// Size of all parts in bytes.
    pub bytes: u64,
    /// Number of images of each variant.
    pub variants: Vec<VariantCount>,
    /// The execution providers that computed the rows.
    pub providers: Vec<String>,
    /// Whether machines that give different bits for the same image computed the rows of one plan.
    pub mixed_hardware: bool,
}

/// Number of distinct images that have a variant.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VariantCount {
    /// Name of the variant.
    pub variant: String,
    /// Number of images of the data set that have it.
    pub images: usize,
    /// Number of train images that have it.
    pub train_images: usize,
    /// Whether every train image has it.
    pub complete: bool,
}

/// Counts the samples, parts and rows of the cache at `root`.
///
/// # Errors
/// [`Kind::Cache`](crate::error::Kind::Cache) when there is no cache, or its samples or a part cannot be read.
pub fn info(root: &Path) -> Result<CacheInfo> {
    let cache = FeatureCache::open(root)?;
    let samples = cache.samples()?;
    let images: HashMap<Digest, Split> =
        samples.rows.iter().map(|row| (row.file.image_sha256, row.split)).collect();
    let all: HashSet<Digest> = samples.images().map(|file| file.image_sha256).collect();
    let totals = cache.with_parts(|parts| PartTotals::of(parts, cache.spec()))?;
    let kept = read_kept(&Store::new(root, STAGING))?;
    let providers = totals.providers.into_iter().chain(kept.providers);
    let orphaned = totals.keys.iter().filter(|key| !all.contains(&key.image_sha256)).count();
    Ok(CacheInfo {
        splits: split_counts(&samples.rows),
        classes: label_names(&samples.rows).len(),
        several_labels: samples.has_label_sets(),
        samples: samples.rows.len(),
        unlabelled: samples.unlabelled.len(),
        root: samples.root.display().to_string(),
        seed: samples.seed,
        fractions: samples.fractions.to_string(),
        layout: samples.layout.to_string(),
        refused: read_refused(root)?.files.len(),
        rows: totals.keys.len(),
        orphaned,
        bytes: totals.bytes,
        parts: totals.parts,
        variants: count_variants(&totals.keys, &images),
        providers: BTreeSet::from_iter(providers).into_iter().collect(),
        mixed_hardware: kept.is_mixed,
        spec: cache.spec().clone(),
    })
}

/// What is counted over all parts. Read in one go, so that a compaction in the meantime cannot mix two states of the
/// cache.
struct PartTotals {
    keys: HashSet<Key>,
    parts: usize,
    bytes: u64,
    providers: Vec<String>,
}

impl PartTotals {
    fn of(parts: &[Part], spec: &Spec) -> Result<Self> {
        Ok(Self {
            keys: distinct_keys(parts, spec)?,
            parts: parts.len(),
            bytes: parts.iter().map(Part::bytes).sum(),
            providers: providers(parts)?,
        })
    }
}

fn count_variants(keys: &HashSet<Key>, images: &HashMap<Digest, Split>) -> Vec<VariantCount> {
    let train_total = images.values().filter(|split| **split == Split::Train).count();
    let mut counts: BTreeMap<Variant, VariantCount> = BTreeMap::new();
    for key in keys {
        let Some(split) = images.get(&key.image_sha256) else { continue };
        let count = counts.entry(key.variant).or_insert_with(|| VariantCount {
            variant: key.variant.to_string(),
            images: 0,
            train_images: 0,
            complete: false,
        });
        count.images += 1;
        count.train_images += usize::from(*split == Split::Train);
        count.complete = count.train_images == train_total;
    }
    counts.into_values().collect()
}

/// The execution providers named in the metadata of `parts`.
fn providers(parts: &[Part]) -> Result<Vec<String>> {
    let mut providers = BTreeSet::new();
    for part in parts {
        providers.extend(part.metadata()?.remove("headstart.provider"));
    }
    Ok(providers.into_iter().collect())
}
