//! The file of an experiment, as typed: what each key is called. `docs/experiments.md` explains them. It refuses keys that
//! it does not know, and to judge what they hold: `plan.rs` does.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Settings of a fit by name, as `run.json` has them.
pub(super) type Settings = BTreeMap<String, serde_json::Value>;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub title: String,
    /// Heads of each run on the split of the caches.
    #[serde(default = "one")]
    pub seeds: usize,
    /// Other splits, each with one head of each run.
    #[serde(default)]
    pub resplits: usize,
    /// Percentages of train, validation and test.
    pub split: Option<String>,
    /// Seed of the split of the caches.
    pub split_seed: Option<u64>,
    /// What somebody else needed for all runs.
    pub published_minutes: Option<f64>,
    /// Pairs of runs or baselines to test against each other, the second being what the first is compared with.
    #[serde(default)]
    pub pairs: Vec<[String; 2]>,
    /// Of all runs.
    #[serde(default)]
    pub settings: Settings,
    #[serde(rename = "cache")]
    pub caches: Vec<Cache>,
    #[serde(rename = "run")]
    pub runs: Vec<Run>,
    #[serde(default, rename = "switch")]
    pub switches: Vec<Switch>,
    #[serde(default, rename = "condition")]
    pub conditions: Vec<Condition>,
    #[serde(default, rename = "baseline")]
    pub baselines: Vec<Baseline>,
}

/// Features to be extracted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cache {
    pub name: String,
    pub backbone: Option<String>,
    pub layer: Option<String>,
    pub preprocess: Option<String>,
    pub crop: Option<f64>,
    #[serde(default)]
    pub augment: Vec<String>,
    /// `train` or `all`; all where there are other splits.
    pub augment_splits: Option<String>,
}

/// Heads with the same settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub name: String,
    /// The first cache of the file unless given.
    pub cache: Option<String>,
    /// Families or exact variants; every complete family unless given.
    #[serde(rename = "use")]
    pub variants: Option<Vec<String>>,
    /// The run whose heads are the start.
    pub init: Option<String>,
    /// Upon those of the file.
    #[serde(default)]
    pub settings: Settings,
    pub published: Option<Published>,
}

/// What somebody else reached.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Share of right answers on the test images.
    pub accuracy: Option<f64>,
    /// Epochs that ran.
    pub epochs: Option<usize>,
    /// Wall time in minutes.
    pub minutes: Option<f64>,
}

/// A named change to every run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    pub name: String,
    /// In a few words.
    #[serde(default)]
    pub about: String,
    /// Upon those of the run.
    #[serde(default)]
    pub settings: Settings,
    /// In the place of the run's cache.
    pub cache: Option<String>,
    /// Whether runs start afresh that would start from another.
    #[serde(default)]
    pub ignore_init: bool,
    /// Whether test images that fill no whole batch are not scored.
    #[serde(default)]
    pub score_whole_batches: bool,
}

/// A column of the table: all runs with some switches on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    pub name: String,
    #[serde(default)]
    pub switches: Vec<String>,
}

/// Something simpler that the runs have to beat.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Baseline {
    /// Always the largest class of the train images.
    Majority { name: String },
    /// The nearest neighbour among the features.
    Nearest {
        name: String,
        cache: Option<String>,
        #[serde(rename = "use")]
        variants: Option<Vec<String>>,
    },
    /// A head of other settings, which no switch changes.
    Head {
        name: String,
        cache: Option<String>,
        #[serde(rename = "use")]
        variants: Option<Vec<String>>,
        #[serde(default)]
        settings: Settings,
    },
    /// Principal components of small grey pixels with logistic regression.
    Pixels {
        name: String,
        /// Width and height of the small picture.
        size: [usize; 2],
        /// The centre part of width and height that is kept.
        #[serde(default = "whole")]
        crop: [f64; 2],
        components: usize,
        /// Penalty of the logistic regression.
        l2: f64,
    },
}

impl Baseline {
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
