//! The caches of an experiment: missing features are extracted, then each cache is read once for all splits.

use super::config::ExperimentConfig;
use super::file::{CacheEntry, ExperimentFile};
use super::names::{entry, within};
use super::output_folder::CACHES;
use super::plan::{BaselineMethod, ExperimentPlan};
use crate::backbone::registry::DEFAULT_BACKBONE;
use crate::backbone::{BackboneChoice, OWN, PRELOGITS};
use crate::data::augment::Augmentation;
use crate::data::dataset::{Fractions, LayoutChoice, Refused, Resplit};
use crate::error::{Error, Kind, Result};
use crate::extract::{AugmentSplits, ExtractConfig, extract};
use crate::monitor::Monitor;
use crate::train::fit_context::FitContext;
use crate::train::split_rows::SplitRows;
use crate::train::{FeatureTable, TrainingSet};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What was extracted and read of a cache.
#[derive(Debug, Clone, Serialize)]
pub struct CacheStats {
    /// Its name in the file.
    pub name: String,
    /// Name and description of the network.
    pub backbone: String,
    /// Feature rows that match the images.
    pub rows: usize,
    /// The part of them that this call computed; the others were in the cache.
    pub computed: usize,
    /// Wall time of extraction, in seconds.
    pub seconds: f64,
    /// Wall time of reading and verifying the features, in seconds.
    pub read_seconds: f64,
    /// Number of image files in each split.
    pub splits: std::collections::BTreeMap<&'static str, usize>,
    /// Files that cannot be used.
    #[serde(skip)]
    pub refused: Vec<Refused>,
}

/// A cache whose features are in memory.
#[derive(Debug)]
pub(super) struct LoadedCache {
    pub set: TrainingSet,
    table: FeatureTable,
    /// Each set of variants that is trained on; the first one is `none`.
    variants: Vec<Option<Vec<String>>>,
    /// `[variants][split]`.
    rows: Vec<Vec<SplitRows>>,
    /// Wall time of reading and verifying, in seconds.
    pub read_seconds: f64,
}

/// What all caches are read for.
pub(super) struct CacheLoader<'a> {
    pub plan: &'a ExperimentPlan,
    /// The splits of the caches (`None`), then the others.
    pub splits: &'a [Option<Resplit>],
    pub threads: usize,
    pub monitor: &'a dyn Monitor,
}

/// A set of variants to train on, and the entry of the file that asks for it.
struct VariantsRequest<'a> {
    variants: &'a Option<Vec<String>>,
    owner: String,
}

/// The settings of `extract` for each cache of the file.
///
/// # Errors
/// [`Kind::Usage`] for an unknown augmentation or split.
pub(super) fn requests(file: &ExperimentFile, config: &ExperimentConfig) -> Result<Vec<ExtractConfig>> {
    let split: Option<Fractions> = file.split.as_deref().map(str::parse).transpose()?;
    let layout = match (file.split_folders, file.as_classes) {
        (true, true) => {
            return Err(Error::new(Kind::Usage, "`split_folders` and `as_classes` exclude each other"));
        }
        (true, false) => Some(LayoutChoice::SplitFolders),
        (false, true) => Some(LayoutChoice::AsClasses),
        (false, false) => None,
    };
    let default_splits = if file.resplits > 0 { AugmentSplits::All } else { AugmentSplits::Train };
    let request = |cache: &CacheEntry| {
        let augment = cache.augment.iter().map(|name| name.parse());
        Ok(ExtractConfig {
            images: config.images.clone(),
            cache: config.out.join(CACHES).join(&cache.name),
            backbone: BackboneChoice {
                pool: None,
                // The file alone says what a run is: neither the machine nor an earlier cache does.
                backbone: Some(cache.backbone.clone().unwrap_or_else(|| DEFAULT_BACKBONE.into())),
                layer: Some(cache.layer.clone().unwrap_or_else(|| PRELOGITS.into())),
                preprocess: Some(cache.preprocess.clone().unwrap_or_else(|| OWN.into())),
                crop: cache.crop,
                stretch_16bit: cache.stretch_16bit,
                models: config.models.clone(),
            },
            augment: augment.collect::<Result<Vec<Augmentation>>>()?,
            augment_splits: cache.augment_splits.as_deref().map_or(Ok(default_splits), str::parse)?,
            layout,
            rehash: false,
            split,
            seed: file.split_seed,
            device: config.device,
            threads: config.threads,
            time: config.time,
            ..ExtractConfig::default()
        })
    };
    let named = |cache: &CacheEntry| request(cache).map_err(|e| within(&entry("cache", &cache.name), e));
    file.caches.iter().map(named).collect()
}

/// Extracts the features that the cache lacks.
///
/// # Errors
/// Those of `extract`.
pub(super) fn complete(name: &str, request: &ExtractConfig, monitor: &dyn Monitor) -> Result<CacheStats> {
    monitor.note(&format!("extracting the features of cache {name:?}"));
    let stats = extract(request, monitor)?;
    Ok(CacheStats {
        name: name.into(),
        backbone: stats.backbone,
        rows: stats.rows,
        computed: stats.computed,
        seconds: stats.seconds,
        read_seconds: 0.0,
        splits: stats.splits,
        refused: stats.refused,
    })
}

impl CacheLoader<'_> {
    /// Reads what the plan needs of the cache at position `cache`, which is in the folder `path`.
    ///
    /// # Errors
    /// [`Kind::Cache`] when features are missing or damaged,
    /// [`Kind::Input`] when there are too few classes or images.
    pub fn load(&self, cache: usize, path: &Path) -> Result<LoadedCache> {
        let started = Instant::now();
        let set = TrainingSet::open_with_threads(path, self.threads)?;
        let plain = Some(vec!["none".to_string()]);
        let rows_of = |variants: &Option<Vec<String>>| {
            let rows = |resplit: &Option<Resplit>| {
                let splits = set.split_rows(*resplit, variants.as_deref(), self.monitor)?;
                set.require_validation(&splits).map(|()| splits)
            };
            self.splits.iter().map(rows).collect::<Result<Vec<_>>>()
        };
        let mut rows = vec![rows_of(&plain)?];
        let mut variants = vec![plain];
        for request in self.requests(cache) {
            if !variants.contains(request.variants) {
                rows.push(rows_of(request.variants).map_err(|e| within(&request.owner, e))?);
                variants.push(request.variants.clone());
            }
        }
        let table = set.load(rows.iter().flatten())?;
        Ok(LoadedCache { set, table, variants, rows, read_seconds: started.elapsed().as_secs_f64() })
    }

    /// The sets of variants that fits and baselines take from a cache.
    fn requests(&self, cache: usize) -> Vec<VariantsRequest<'_>> {
        let fits = self.plan.fits.iter().filter(|fit| fit.spec.cache == cache);
        let fits = fits.map(|fit| VariantsRequest { variants: &fit.spec.variants, owner: fit.owner.clone() });
        let nearest = self.plan.baselines.iter().filter_map(|baseline| match &baseline.method {
            BaselineMethod::Nearest(nearest) if nearest.cache == cache => Some(VariantsRequest {
                variants: &nearest.variants,
                owner: entry("baseline", &baseline.name),
            }),
            _ => None,
        });
        fits.chain(nearest).collect()
    }
}

impl LoadedCache {
    /// The rows of a set of variants on the split at position `split`, with what their fits share.
    pub fn context(&self, variants: &Option<Vec<String>>, split: usize, threads: usize) -> FitContext<'_> {
        let number = self.variants.iter().position(|known| known == variants);
        let splits = &self.rows[number.expect("all sets of variants were loaded")][split];
        FitContext { set: &self.set, splits, table: &self.table, threads }
    }

    /// The rows of the images as they are (variant `none`) on the split at position `split`.
    pub fn plain(&self, split: usize) -> &SplitRows {
        &self.rows[0][split]
    }
}
