//! The file of an experiment as it is written: its keys and their types. `docs/experiments.md` explains them; unknown keys
//! are errors. `planner.rs` checks the values.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Settings of a fit by their names in `run.json`.
pub(super) type Settings = BTreeMap<String, serde_json::Value>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExperimentFile {
    pub title: String,
    /// Number of heads of each run on the splits of the caches.
    #[serde(default = "one")]
    pub seeds: usize,
    /// Number of other splits; each run has one head on each.
    #[serde(default)]
    pub resplits: usize,
    /// Percentages of train, validation and test.
    pub split: Option<String>,
    /// Whether folders that are called as splits are taken as the splits of the caches.
    #[serde(default)]
    pub split_folders: bool,
    /// Whether such folders are taken as classes.
    #[serde(default)]
    pub as_classes: bool,
    /// Seed of the split of the caches.
    pub split_seed: Option<u64>,
    /// Published wall time of all runs, in minutes.
    pub published_minutes: Option<f64>,
    /// Pairs of runs or baselines to compare: the first less the second.
    #[serde(default)]
    pub pairs: Vec<[String; 2]>,
    /// Settings of all runs.
    #[serde(default)]
    pub settings: Settings,
    /// Whether runs are added that find the families of the first cache that pay.
    #[serde(default)]
    pub search_families: bool,
    #[serde(rename = "cache")]
    pub caches: Vec<CacheEntry>,
    #[serde(default, rename = "run")]
    pub runs: Vec<RunEntry>,
    #[serde(default, rename = "switch")]
    pub switches: Vec<SwitchEntry>,
    #[serde(default, rename = "condition")]
    pub conditions: Vec<ConditionEntry>,
    #[serde(default, rename = "baseline")]
    pub baselines: Vec<BaselineEntry>,
}

/// A cache of features to extract.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheEntry {
    pub name: String,
    pub backbone: Option<String>,
    pub layer: Option<String>,
    pub preprocess: Option<String>,
    pub crop: Option<f64>,
    pub stretch_16bit: Option<u8>,
    #[serde(default)]
    pub augment: Vec<String>,
    /// `train` or `all`; by default `all` where there are other splits, else `train`.
    pub augment_splits: Option<String>,
}

/// Heads with the same settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunEntry {
    pub name: String,
    /// Name of the cache; by default the first of the file.
    pub cache: Option<String>,
    /// Families or exact variants to train on; by default every complete family.
    #[serde(rename = "use")]
    pub variants: Option<Vec<String>>,
    /// Name of the run whose heads are the starting points.
    pub init: Option<String>,
    /// Settings that replace those of the file.
    #[serde(default)]
    pub settings: Settings,
    pub published: Option<Published>,
}

/// Published results of a run.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Fraction of correct answers on the test images, 0 to 1.
    pub accuracy: Option<f64>,
    /// Number of epochs.
    pub epochs: Option<usize>,
    /// Wall time, in minutes.
    pub minutes: Option<f64>,
}

/// A named change to every run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SwitchEntry {
    pub name: String,
    /// What the switch does, in a few words.
    #[serde(default)]
    pub about: String,
    /// Settings that replace those of the run.
    #[serde(default)]
    pub settings: Settings,
    /// Name of the cache that replaces that of the run.
    pub cache: Option<String>,
    /// Whether runs with an `init` start from fresh weights instead.
    #[serde(default)]
    pub ignore_init: bool,
    /// Whether the last test images, which do not fill a whole batch, are left out of the score.
    #[serde(default)]
    pub score_whole_batches: bool,
}

/// A column of the table: all runs with some switches on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionEntry {
    pub name: String,
    #[serde(default)]
    pub switches: Vec<String>,
}

/// A simple method that the runs are compared with.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum BaselineEntry {
    /// Always answers the class with the most train images.
    Majority { name: String },
    /// Answers the class of the nearest train row among the features.
    Nearest {
        name: String,
        cache: Option<String>,
        #[serde(rename = "use")]
        variants: Option<Vec<String>>,
    },
    /// A head with settings of its own, which no switch changes.
    Head {
        name: String,
        cache: Option<String>,
        #[serde(rename = "use")]
        variants: Option<Vec<String>>,
        #[serde(default)]
        settings: Settings,
    },
    /// Logistic regression on principal components of small grey images.
    Pixels {
        name: String,
        /// Width and height of the small image, in pixels.
        size: [usize; 2],
        /// Fractions of width and height that are kept around the centre.
        #[serde(default = "whole")]
        crop: [f64; 2],
        components: usize,
        /// L2 penalty of the logistic regression.
        l2: f64,
    },
}

impl BaselineEntry {
    pub fn name(&self) -> &str {
        match self {
            Self::Majority { name }
            | Self::Nearest { name, .. }
            | Self::Head { name, .. }
            | Self::Pixels { name, .. } => name,
        }
    }
}

fn one() -> usize {
    1
}

fn whole() -> [f64; 2] {
    [1.0, 1.0]
}
