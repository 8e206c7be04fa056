//! Stage 1: from a folder of images to a cache of features, computing only what is missing.

mod decode;
mod pipeline;
mod plan;
mod run;
mod sink;

pub use pipeline::Stages;
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
use std::time::{Duration, Instant};

/// How long computed rows wait to be made durable unless somebody says otherwise.
pub const COMMIT_EVERY: Duration = Duration::from_secs(15);

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
    /// The longest that computed rows wait to be made durable: what a crash costs.
    pub commit_every: Duration,
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
    /// Where the time went; `None` when nothing was computed.
    pub stages: Option<Stages>,
    /// The share of the computing time in which the network was busy; `None` when nothing was computed.
    pub busy: Option<f64>,
    /// Whether this was a dry run.
    pub dry_run: bool,
}

/// Describes the images, then computes and stores the feature rows that are missing.
///
/// # Errors
/// [`Kind::Input`] when there are no usable images, [`Kind::Cache`] when the cache holds other features or is damaged,
/// [`Kind::Interrupted`] when the monitor was, and those of opening the backbone. Rows that were committed before a failure
/// stay.
pub fn extract(config: &ExtractConfig, monitor: &dyn Monitor) -> Result<ExtractStats> {
    let started = Instant::now();
    check(config)?;
    let mut run = Run::open(config, monitor)?;
    let mut done = Done::default();
    let mut sessions: Vec<Box<dyn Backbone>> = Vec::new();
    let described = loop {
        let described = run.describe()?;
        let missing: usize = described.work.iter().map(|work| work.variants.len()).sum();
        if config.dry_run {
            done.computed = missing;
            break described;
        }
        // The network before anything is written: when it cannot be opened, all stays as it was.
        if sessions.is_empty() && (missing > 0 || run.writer.is_none()) {
            let (opened, filled_meanwhile) = run.open_backbone(missing)?;
            sessions = opened;
            if filled_meanwhile {
                continue;
            }
        }
        run.write_description(&described)?;
        if missing == 0 {
            break described;
        }
        done.provider = sessions.first().map(|session| session.provider().to_string());
        let outcome = run.compute(&described, &mut sessions)?;
        done.computed += outcome.computed;
        done.stages = Some(done.stages.unwrap_or_default().and(outcome.stages));
        if outcome.is_cut {
            return Err(interrupted(&done, missing - outcome.computed));
        }
        if outcome.refused.is_empty() {
            break Described { rows: described.rows + outcome.computed, ..described };
        }
        run.memory.refuse(outcome.refused);
    };
    Ok(stats(&run, described, done, started))
}

/// What was computed so far.
#[derive(Default)]
struct Done {
    computed: usize,
    provider: Option<String>,
    stages: Option<Stages>,
}

fn interrupted(done: &Done, missing: usize) -> Error {
    let message =
        format!("interrupted: {} rows were computed and are kept, {missing} are missing", done.computed);
    Error::new(Kind::Interrupted, message).help("the same command goes on from there")
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

fn stats(run: &Run, described: Described, done: Done, started: Instant) -> ExtractStats {
    let Done { computed, provider, stages } = done;
    let stages = stages.filter(|_| computed > 0);
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
        images_per_second: stages.map(|stages| computed as f64 / stages.seconds),
        provider: provider.filter(|_| computed > 0),
        stages,
        busy: stages.map(|stages| stages.busy()),
        dry_run: run.config.dry_run,
    }
}
