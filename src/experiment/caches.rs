//! The caches of an experiment: what is missing is extracted, then each is read once for all splits.

use super::ExperimentConfig;
use super::file::{Cache, File};
use super::names::within;
use super::plan::{How, Plan};
use crate::augment::Augmentation;
use crate::backbone::PRELOGITS;
use crate::dataset::{Division, Fractions, Refused};
use crate::error::Result;
use crate::extract::{AugmentSplits, COMMIT_EVERY, ExtractConfig, extract};
use crate::monitor::Monitor;
use crate::setup::BackboneChoice;
use crate::train::shelf::{Loaded, Plan as Rows, Shelf};
use serde::Serialize;
use std::time::Instant;

/// What became of a cache.
#[derive(Debug, Clone, Serialize)]
pub struct Extracted {
    /// Its name in the file.
    pub name: String,
    /// The network, and what it is.
    pub backbone: String,
    /// Feature rows that match the images.
    pub rows: usize,
    /// Of them, computed by this call; the others were there.
    pub computed: usize,
    /// Wall time of extraction.
    pub seconds: f64,
    /// Wall time of reading and verifying.
    pub read_seconds: f64,
    /// Image files in each split.
    pub splits: std::collections::BTreeMap<&'static str, usize>,
    /// Files that cannot be used.
    #[serde(skip)]
    pub refused: Vec<Refused>,
}

/// A cache in memory.
#[derive(Debug)]
pub(super) struct Opened {
    pub shelf: Shelf,
    pub loaded: Loaded,
    sets: Vec<Option<Vec<String>>>,
    rows: Vec<Rows>,
    divisions: usize,
}

/// What `extract` is asked for, cache by cache.
///
/// # Errors
/// [`crate::error::Kind::Usage`] for an unknown augmentation or split.
pub(super) fn requests(file: &File, config: &ExperimentConfig) -> Result<Vec<ExtractConfig>> {
    let split: Option<Fractions> = file.split.as_deref().map(str::parse).transpose()?;
    let all = if file.resplits > 0 { AugmentSplits::All } else { AugmentSplits::Train };
    let request = |cache: &Cache| {
        let augment: Vec<Augmentation> =
            cache.augment.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        Ok(ExtractConfig {
            images: config.images.clone(),
            cache: config.out.join(super::CACHES).join(&cache.name),
            backbone: BackboneChoice {
                backbone: cache.backbone.clone().unwrap_or_else(|| "nsfwjs".into()),
                layer: cache.layer.clone().unwrap_or_else(|| PRELOGITS.into()),
                preprocess: cache.preprocess.clone(),
                crop: cache.crop,
                models: config.models.clone(),
            },
            augment,
            augment_splits: cache.augment_splits.as_deref().map_or(Ok(all), str::parse)?,
            split,
            seed: file.split_seed,
            device: config.device,
            batch: None,
            threads: config.threads,
            commit_every: COMMIT_EVERY,
            dry_run: false,
            time: config.time,
        })
    };
    let named = |cache: &Cache| request(cache).map_err(|e| within("cache", &cache.name, e));
    file.caches.iter().map(named).collect()
}

/// Completes a cache.
pub(super) fn complete(name: &str, request: &ExtractConfig, monitor: &dyn Monitor) -> Result<Extracted> {
    monitor.note(&format!("features of {name:?}"));
    let stats = extract(request, monitor)?;
    Ok(Extracted {
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

/// Reads what the plan needs of its cache number `cache`, for its own split and all others.
pub(super) fn open(
    plan: &Plan,
    cache: usize,
    (request, divisions): (&ExtractConfig, &[Option<Division>]),
    (extracted, threads): (&mut Extracted, usize),
    monitor: &dyn Monitor,
) -> Result<Opened> {
    let started = Instant::now();
    let shelf = Shelf::open(&request.cache, threads)?;
    let mut sets: Vec<Option<Vec<String>>> = vec![Some(vec!["none".into()])];
    let fits = plan.fits.iter().filter(|fit| fit.cache == cache).map(|fit| &fit.variants);
    let nearest = plan.baselines.iter().filter_map(|baseline| match &baseline.how {
        How::Nearest { cache: own, variants } if *own == cache => Some(variants),
        _ => None,
    });
    for variants in fits.chain(nearest) {
        if !sets.contains(variants) {
            sets.push(variants.clone());
        }
    }
    let mut rows = Vec::new();
    for variants in &sets {
        for division in divisions {
            rows.push(shelf.plan(*division, variants.as_deref(), monitor)?);
        }
    }
    let loaded = shelf.load(&rows, threads)?;
    extracted.read_seconds = started.elapsed().as_secs_f64();
    Ok(Opened { shelf, loaded, sets, rows, divisions: divisions.len() })
}

impl Opened {
    /// The rows of a set of variants, in split number `division`.
    pub fn rows(&self, variants: &Option<Vec<String>>, division: usize) -> &Rows {
        let set = self.sets.iter().position(|set| set == variants).expect("every set was planned");
        &self.rows[set * self.divisions + division]
    }

    /// The rows of the images as they are, in split number `division`.
    pub fn plain(&self, division: usize) -> &Rows {
        &self.rows[division]
    }
}
