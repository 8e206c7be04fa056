//! What a cache holds, at a glance: counted, not verified.

use super::{FeatureStore, Part, Spec, keys_of, read_refused};
use crate::augment::Variant;
use crate::dataset::{Split, class_names, split_counts};
use crate::digest::Digest;
use crate::error::Result;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// What `cache info` tells.
#[derive(Debug, Clone, Serialize)]
pub struct Info {
    /// What the features are.
    pub spec: Spec,
    /// The folder of images, as last described.
    pub root: String,
    /// Seed of the split.
    pub seed: u64,
    /// Percentages of the split.
    pub fractions: String,
    /// Image files.
    pub samples: usize,
    /// Of them in train, validation and test.
    pub splits: BTreeMap<&'static str, usize>,
    /// Classes.
    pub classes: usize,
    /// Files that could not be used.
    pub refused: usize,
    /// Parts.
    pub parts: usize,
    /// Feature rows in all parts.
    pub rows: usize,
    /// Of them, rows of images that are gone.
    pub orphaned: usize,
    /// Bytes of all parts.
    pub bytes: u64,
    /// Rows of each variant.
    pub variants: Vec<VariantCount>,
    /// What computed the rows: the execution providers of all parts.
    pub providers: Vec<String>,
}

/// How many distinct images have a variant.
#[derive(Debug, Clone, Serialize)]
pub struct VariantCount {
    /// The variant.
    pub variant: String,
    /// Images of the data set that have it.
    pub images: usize,
    /// Of them, images in train.
    pub train_images: usize,
    /// Whether every train image has it.
    pub complete: bool,
}

/// Counts what the cache at `root` holds.
///
/// # Errors
/// [`crate::error::Kind::Cache`] when there is no cache, or its samples or a part cannot be read.
pub fn info(root: &Path) -> Result<Info> {
    let store = FeatureStore::open(root)?;
    let samples = store.samples()?;
    let images: HashMap<Digest, Split> =
        samples.rows.iter().map(|row| (row.file.image_sha256, row.split)).collect();
    let train = images.values().filter(|split| **split == Split::Train).count();
    // All at once, so that a compaction meanwhile cannot mix two states of the cache.
    let (keys, parts, bytes, providers) = store.of_all_parts(|parts| {
        let bytes: u64 = parts.iter().map(Part::bytes).sum();
        Ok((keys_of(parts)?, parts.len(), bytes, providers(parts)?))
    })?;
    let mut counts: BTreeMap<Variant, (usize, usize)> = BTreeMap::new();
    let mut orphaned = 0;
    for key in &keys {
        match images.get(&key.image_sha256) {
            Some(split) => {
                let (all, in_train) = counts.entry(key.variant).or_default();
                *all += 1;
                *in_train += usize::from(*split == Split::Train);
            }
            None => orphaned += 1,
        }
    }
    Ok(Info {
        splits: split_counts(&samples.rows),
        classes: class_names(&samples.rows).len(),
        samples: samples.rows.len(),
        root: samples.root.display().to_string(),
        seed: samples.seed,
        fractions: samples.fractions.to_string(),
        refused: read_refused(root)?.len(),
        rows: keys.len(),
        orphaned,
        bytes,
        parts,
        variants: counts
            .into_iter()
            .map(|(variant, (images, train_images))| VariantCount {
                variant: variant.to_string(),
                images,
                train_images,
                complete: train_images == train,
            })
            .collect(),
        providers,
        spec: store.spec().clone(),
    })
}

fn providers(parts: &[Part]) -> Result<Vec<String>> {
    let mut providers = BTreeSet::new();
    for part in parts {
        providers.extend(part.metadata()?.remove("headstart.provider"));
    }
    Ok(providers.into_iter().collect())
}
