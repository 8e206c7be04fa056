//! Stage 1: computes the features of a folder of images and stores them in a cache. Only missing features are computed.

mod batch;
mod config;
mod decode;
pub mod distributed;
mod embed;
mod extraction;
mod kept;
mod layers;
mod missing;
mod network;
mod old_decoders;
mod pipeline;
mod plan;
mod resources;
mod run;
mod settings;
mod sink;
mod splits;
mod target;
mod timing;

pub use config::{AugmentSplits, COMMIT_EVERY, ExtractConfig};
pub use embed::{EmbedConfig, EmbeddedImages, ImageToEmbed, embed_images};
pub use layers::{LayerStats, LayersStats, extract_layers, is_layers_folder};
pub use missing::MissingRows;
pub use splits::GroupStats;
pub use timing::StageTimes;

use crate::data::dataset::{Refused, label_names, split_counts};
use crate::data::decode::limit_memory;
use crate::error::Result;
use crate::monitor::Monitor;
use extraction::Extraction;
use run::RunResult;
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
    /// Number of labelled image files in the data set.
    pub samples: usize,
    /// Number of image files without a label, which have features and no split.
    pub unlabelled: usize,
    /// What the folders of images stand for: `class`, `split/class`, `class/split`; or `manifest`.
    pub layout: String,
    /// Number of files in each split, by the name of the split.
    pub splits: BTreeMap<&'static str, usize>,
    /// Groups that stay in one split; `None` where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupStats>,
    /// Number of classes; of labels, where images have several.
    pub classes: usize,
    /// Whether images have several labels.
    #[serde(skip)]
    pub several_labels: bool,
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
    /// A layer of this network to try as well, by measurements, if the default layer was embedded.
    pub better_layer: Option<&'static str>,
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
///
/// [`Kind::Usage`]: crate::error::Kind::Usage
/// [`Kind::Input`]: crate::error::Kind::Input
/// [`Kind::Cache`]: crate::error::Kind::Cache
/// [`Kind::Locked`]: crate::error::Kind::Locked
/// [`Kind::Io`]: crate::error::Kind::Io
/// [`Kind::Limit`]: crate::error::Kind::Limit
/// [`Kind::Interrupted`]: crate::error::Kind::Interrupted
pub fn extract(config: &ExtractConfig, monitor: &dyn Monitor) -> Result<ExtractStats> {
    let started = Instant::now();
    config.check()?;
    limit_memory(config.decode_memory)?;
    let mut layers = [Extraction::open(config, None, monitor)?];
    let result = run::run(&mut layers, monitor)?.remove(0);
    Ok(stats(&layers[0], result, started))
}

fn stats(extraction: &Extraction, result: RunResult, started: Instant) -> ExtractStats {
    let RunResult { missing, plan, computed, unused, vanished, work } = result;
    let (provider, stages) = work.unzip();
    let mut refused = [plan.description.refused, vanished].concat();
    refused.sort();
    let samples = &plan.description.samples.rows;
    ExtractStats {
        backbone: format!("{}, {}", extraction.chosen.name, extraction.chosen.article_and_title()),
        layer: extraction.chosen.layer.clone(),
        samples: samples.len(),
        unlabelled: plan.description.samples.unlabelled.len(),
        layout: plan.description.samples.layout.to_string(),
        splits: split_counts(samples),
        groups: GroupStats::of(samples),
        classes: label_names(samples).len(),
        several_labels: plan.description.samples.has_label_sets(),
        rows: plan.stored_rows,
        computed,
        unused,
        missing,
        seconds: started.elapsed().as_secs_f64(),
        images_per_second: stages.map(|stages| computed as f64 / stages.seconds),
        provider,
        busy: stages.map(|stages| stages.busy()),
        stages,
        better_layer: extraction.chosen.better_layer(),
        dry_run: extraction.config.dry_run,
        refused,
    }
}
