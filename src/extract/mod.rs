//! Stage 1: from a folder of images to a cache of features, computing only what is missing.

mod pipeline;
mod plan;
mod run;

pub use plan::{AugmentSplits, Missing};

use crate::augment::Augmentation;
use crate::backbone::{Backbone, Device};
use crate::dataset::{self, Fractions, Refused};
use crate::error::{Error, Kind, Result};
use crate::fs;
use crate::monitor::Monitor;
use crate::setup::BackboneChoice;
use run::{Described, Run};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// What `extract` was asked for.
#[derive(Debug, Clone)]
pub struct ExtractConfig {
    /// `IMAGES/<class>/<file>`.
    pub images: PathBuf,
    /// The cache to make or to complete.
    pub cache: PathBuf,
    /// The network, layer and preprocessing.
    pub backbone: BackboneChoice,
    /// Variants to add to the images as they are.
    pub augment: Vec<Augmentation>,
    /// Which splits get variants.
    pub augment_splits: AugmentSplits,
    /// Shares of the split; `None` keeps the cache's, or the default.
    pub split: Option<Fractions>,
    /// Seed of the split; `None` keeps the cache's, or zero.
    pub seed: Option<u64>,
    /// Where to run.
    pub device: Device,
    /// Images in a batch; `None` chooses by device.
    pub batch: Option<usize>,
    /// Threads; zero takes all cores.
    pub threads: usize,
    /// Only say what would be computed.
    pub dry_run: bool,
    /// The time to note in new parts, in seconds since 1970.
    pub time: u64,
}

/// What `extract` did.
#[derive(Debug, Clone, Serialize)]
pub struct ExtractStats {
    /// The network, by name or path, and what it is.
    pub backbone: String,
    /// The layer that was embedded.
    pub layer: String,
    /// Image files in the data set.
    pub samples: usize,
    /// Of them in train, validation and test.
    pub splits: BTreeMap<&'static str, usize>,
    /// Classes.
    pub classes: usize,
    /// Feature rows that match the samples after the run.
    pub rows: usize,
    /// Rows computed in this run; in a dry run, rows that would be.
    pub computed: usize,
    /// What of the features was missing when the run began, by variant; in a dry run, what would be computed.
    pub missing: Vec<Missing>,
    /// Files that cannot be used.
    pub refused: Vec<Refused>,
    /// Wall time of the whole run.
    pub seconds: f64,
    /// Rows a second, from the first file opened to the last part on disk; `None` when nothing was computed.
    pub images_per_second: Option<f64>,
    /// The provider that ran; `None` when nothing was computed.
    pub provider: Option<String>,
    /// Whether this was a dry run.
    pub dry_run: bool,
}

/// Describes the images, then computes and stores the feature rows that are missing.
///
/// # Errors
/// [`Kind::Input`] when there are no usable images, [`Kind::Cache`] when the cache holds other features or is damaged,
/// and those of opening the backbone. Rows that were committed before a failure stay.
pub fn extract(config: &ExtractConfig, monitor: &dyn Monitor) -> Result<ExtractStats> {
    let started = Instant::now();
    check(config)?;
    let mut run = Run::open(config, monitor)?;
    let (mut computed, mut busy, mut provider) = (0, 0.0, None);
    let mut backbone: Option<Box<dyn Backbone>> = None;
    let described = loop {
        let described = run.describe()?;
        if config.dry_run {
            computed = described.work.iter().map(|work| work.variants.len()).sum();
            break described;
        }
        // The network before anything is written: when it cannot be opened, all stays as it was.
        if backbone.is_none() && (!described.work.is_empty() || run.writer.is_none()) {
            let is_new = run.writer.is_none();
            backbone = Some(run.open_backbone()?);
            if is_new {
                continue; // another process may have made and filled the cache meanwhile
            }
        }
        run.writer()?.describe(&described.samples, &described.refused)?;
        let Some(backbone) = backbone.as_mut().filter(|_| !described.work.is_empty()) else {
            break described;
        };
        provider = Some(backbone.provider().to_string());
        let done = run.compute(&described, backbone.as_mut())?;
        computed += done.computed;
        busy += done.seconds;
        run.memory.refuse(done.refused);
    };
    Ok(stats(&run, described, computed, busy, provider, started))
}

fn check(config: &ExtractConfig) -> Result<()> {
    if !config.batch.is_none_or(|batch| (1..=4096).contains(&batch)) {
        return Err(Error::new(Kind::Usage, "--batch must be from 1 to 4096"));
    }
    if config.threads > 1024 {
        return Err(Error::new(Kind::Usage, "--threads must be at most 1024"));
    }
    // A cache among the classes would be taken for one.
    if fs::resolve(&config.cache)?.starts_with(fs::resolve(&config.images)?) {
        return Err(Error::new(Kind::Usage, "the cache cannot be inside the folder of images")
            .at(&config.cache)
            .help("choose another folder for --cache"));
    }
    Ok(())
}

fn stats(
    run: &Run,
    described: Described,
    computed: usize,
    busy: f64,
    provider: Option<String>,
    started: Instant,
) -> ExtractStats {
    let rows = &described.samples.rows;
    ExtractStats {
        backbone: format!("{}, {}", run.chosen.name, run.chosen.article_and_title()),
        layer: run.chosen.layer.clone(),
        samples: rows.len(),
        splits: dataset::split_counts(rows),
        classes: dataset::class_names(rows).len(),
        rows: described.rows,
        computed,
        missing: run.missing.clone(),
        refused: described.refused,
        seconds: started.elapsed().as_secs_f64(),
        images_per_second: (busy > 0.0).then(|| computed as f64 / busy),
        provider,
        dry_run: run.config.dry_run,
    }
}
