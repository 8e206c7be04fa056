//! Stage 1: computes the features of a folder of images and stores them in a cache. Only missing features are computed.

mod batch;
mod config;
mod decode;
mod embed;
mod extraction;
mod kept;
mod missing;
mod network;
mod old_decoders;
mod pipeline;
mod plan;
mod resources;
mod settings;
mod sink;
mod splits;
mod target;
mod timing;

pub use config::{AugmentSplits, COMMIT_EVERY, ExtractConfig};
pub use embed::{EmbedConfig, EmbeddedImages, ImageToEmbed, embed_images};
pub use missing::MissingRows;
pub use splits::GroupStats;
pub use timing::StageTimes;

use crate::cache::Key;
use crate::data::dataset::{Refused, class_names, split_counts};
use crate::data::decode::limit_memory;
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use extraction::{CacheOrigin, Extraction};
use network::Network;
use plan::Plan;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// Result of [`extract`].
#[derive(Debug, Clone, Serialize)]
pub struct ExtractStats {
    /// Name or path of the network, and its title.
    pub backbone: String,
    /// The layer that was embedded.
    pub layer: String,
    /// Number of image files in the data set.
    pub samples: usize,
    /// What the folders of images stand for: `class`, `split/class`, `class/split`; or `manifest`.
    pub layout: String,
    /// Number of files in each split, by the name of the split.
    pub splits: BTreeMap<&'static str, usize>,
    /// Groups that stay in one split; `None` where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupStats>,
    /// Number of classes.
    pub classes: usize,
    /// Number of feature rows that match the samples after the run.
    pub rows: usize,
    /// Number of rows computed in this run; in a dry run, the number that would be computed.
    pub computed: usize,
    /// Number of rows computed in this run that are not among `rows`: their images were refused, or vanished.
    pub unused: usize,
    /// Rows that were missing at the start of the run, by variant.
    pub missing: Vec<MissingRows>,
    /// Files that cannot be used, by path.
    pub refused: Vec<Refused>,
    /// Wall time of the whole run in seconds.
    pub seconds: f64,
    /// Rows computed per second, from opening the first file to committing the last part; `None` if none were computed.
    pub images_per_second: Option<f64>,
    /// The execution provider that ran the network; `None` if no rows were computed.
    pub provider: Option<String>,
    /// Time spent in the stages of the pipeline; `None` if no rows were computed.
    pub stages: Option<StageTimes>,
    /// Share of the wall time in which the network computed, 0 to 1; `None` if no rows were computed.
    pub busy: Option<f64>,
    /// Whether this was a dry run.
    pub dry_run: bool,
}

/// Describes the images in the cache, then computes and stores the feature rows that are missing.
///
/// The cache is created if there is none. The description of the data set is written before the first row is computed, and
/// rows are committed at intervals, so a call after an interruption continues where the last one stopped.
///
/// # Errors
/// [`Kind::Usage`] for settings out of range, [`Kind::Input`] without usable images, [`Kind::Cache`] when the cache holds
/// features of another kind or is damaged, [`Kind::Locked`] when another process writes to it, [`Kind::Io`] when it cannot
/// be written, [`Kind::Limit`] when the system grants too few threads, [`Kind::Interrupted`] when the monitor was interrupted,
/// and those of opening and running the backbone. Rows
/// committed before a failure are kept.
pub fn extract(config: &ExtractConfig, monitor: &dyn Monitor) -> Result<ExtractStats> {
    let started = Instant::now();
    config.check()?;
    limit_memory(config.decode_memory)?;
    let mut extraction = Extraction::open(config, monitor)?;
    extraction.prove_runtime()?;
    let mut plan = extraction.plan()?;
    let missing = plan.missing.clone();
    let computed = match plan.missing_rows() {
        rows if config.dry_run => Computed { rows, ..Computed::default() },
        0 => {
            extraction.describe(&plan)?;
            Computed::default()
        }
        rows => {
            // Open the network before writing anything, so that a failure leaves the cache unchanged.
            let mut network = extraction.open_network(rows)?;
            if extraction.create_cache(&network)? == CacheOrigin::CreatedByOther {
                plan = extraction.replan()?;
            }
            extraction.describe(&plan)?;
            compute_missing(&mut extraction, &mut plan, &mut network)?
        }
    };
    let Computed { rows: computed, unused, vanished, provider, stages } = computed;
    let mut refused = [plan.description.refused, vanished].concat();
    refused.sort();
    let samples = &plan.description.samples.rows;
    Ok(ExtractStats {
        backbone: format!("{}, {}", extraction.chosen.name, extraction.chosen.article_and_title()),
        layer: extraction.chosen.layer.clone(),
        samples: samples.len(),
        layout: plan.description.samples.layout.to_string(),
        splits: split_counts(samples),
        groups: GroupStats::of(samples),
        classes: class_names(samples).len(),
        rows: plan.stored_rows,
        computed,
        unused,
        missing,
        seconds: started.elapsed().as_secs_f64(),
        images_per_second: stages.map(|stages| computed as f64 / stages.seconds),
        provider,
        busy: stages.map(|stages| stages.busy()),
        stages,
        dry_run: config.dry_run,
        refused,
    })
}

/// What a run computed.
#[derive(Debug, Default)]
struct Computed {
    rows: usize,
    /// Rows of images that are not in the data set any more.
    unused: usize,
    /// Files that were there at the start and are not any more.
    vanished: Vec<Refused>,
    /// `None` without rows.
    provider: Option<String>,
    /// `None` without rows.
    stages: Option<StageTimes>,
}

/// Computes the missing rows of `plan`, and updates it until nothing is missing of what is in the folder by then.
fn compute_missing(extraction: &mut Extraction, plan: &mut Plan, network: &mut Network) -> Result<Computed> {
    let first = plan.clone();
    let mut computed: Vec<Key> = Vec::new();
    let mut stages = StageTimes::default();
    while plan.missing_rows() > 0 {
        let result = extraction.compute(plan, network)?;
        let new = result.computed.len();
        computed.extend(result.computed);
        stages = stages.and(result.stages);
        if result.is_interrupted {
            return Err(interrupted(computed.len(), plan.missing_rows() - new));
        }
        extraction.refuse(result.refused, result.refused_rows)?;
        // The folder may have changed since it was scanned. And without refused images their classes are smaller, which can
        // move others to another split, where they need other variants.
        *plan = extraction.replan()?;
        extraction.describe(plan)?;
    }
    let vanished = first.vanished(plan);
    Ok(match computed.len() {
        0 => Computed { vanished, ..Computed::default() },
        rows => {
            let provider = network.backbone().provider().to_string();
            let unused = rows - plan.count_own(&computed);
            Computed { rows, unused, vanished, provider: Some(provider), stages: Some(stages) }
        }
    })
}

fn interrupted(computed: usize, missing: usize) -> Error {
    let message = format!("interrupted: {computed} rows were computed and are kept, {missing} are missing");
    Error::new(Kind::Interrupted, message).help("the same command goes on from there")
}
