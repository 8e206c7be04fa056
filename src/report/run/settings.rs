//! The settings of a run as a list for people.

use super::run_data::trained;
use crate::cache::Samples;
use crate::data::dataset::FolderLayout;
use crate::head::decision::{Decision, DecisionRule};
use crate::head::{ClassWeights, FeatureFormat, SolverConfig};
use crate::report::format::{count, seconds};
use crate::run::{ClassCount, Record};
use std::path::Path;

/// A setting or a fact about a run.
pub(super) struct Setting {
    pub name: &'static str,
    pub value: String,
}

impl Setting {
    fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }
}

/// A run and the cache that it was made from.
pub(super) struct MadeFrom<'a> {
    pub run: &'a Path,
    pub record: &'a Record,
    /// `None` if the cache cannot be read.
    pub samples: Option<&'a Samples>,
}

/// All settings of the run, and facts about its data.
pub(super) fn settings(data: &MadeFrom) -> Vec<Setting> {
    let record = data.record;
    let mut all = images(data);
    all.extend(features(record));
    all.extend(fit(&record.config));
    all.extend(record.init.clone().map(|init| Setting::new("Started from", init)));
    all.extend(record.memory.map(|memory| Setting::new("Memory for features", format!("{memory} bytes"))));
    if record.features != FeatureFormat::F32 {
        all.push(Setting::new("Features in memory", record.features.to_string()));
    }
    all.extend(match (&record.config, record.convergence) {
        (SolverConfig::Adam(_), _) => {
            let epochs = format!("{}, the best one {}", record.history.len(), record.best_epoch);
            Some(Setting::new("Epochs", epochs))
        }
        (_, found) => found.and_then(|found| found.iterations).map(|n| Setting::new("Iterations", count(n))),
    });
    all.extend(record.decision.as_ref().map(decision));
    all.push(Setting::new("Duration of the fit", seconds(record.seconds)));
    all.extend(trained(record).map(|trained| Setting::new("Trained", trained)));
    all.push(Setting::new("Version", format!("headstart {}", record.version)));
    all
}

/// How answers are decided.
fn decision(decision: &Decision) -> Setting {
    match &decision.rule {
        DecisionRule::Thresholds(thresholds) => {
            let each = thresholds.iter().map(|one| format!("{} (threshold {:.4})", one.goal, one.threshold));
            Setting::new("Goals of classes", each.collect::<Vec<_>>().join(", "))
        }
        DecisionRule::Costs(costs) => Setting::new("Costs of confusions", costs.file.clone()),
    }
}

/// Where the images are and how they are split.
fn images(data: &MadeFrom) -> Vec<Setting> {
    let record = data.record;
    let sum = |get: fn(&ClassCount) -> usize| count(record.classes.iter().map(get).sum());
    // An image with several labels is counted once for each of them.
    let [classes, train, validation, test] = if record.multi_label.is_some() {
        ["Labels", "Labels of train images", "Labels of validation images", "Labels of test images"]
    } else {
        ["Classes", "Train images", "Validation images", "Test images"]
    };
    let mut all = vec![
        Setting::new("Run", data.run.display().to_string()),
        Setting::new("Cache", record.cache.clone()),
    ];
    if let Some(samples) = data.samples {
        let by_rule = format!("{} for train, validation and test, seed {}", samples.fractions, samples.seed);
        let split = match samples.layout {
            _ if !samples.has_fixed_splits() => by_rule,
            FolderLayout::Manifest => "as the manifest says".into(),
            _ => "as the folders of images".into(),
        };
        all.push(Setting::new("Images", samples.root.display().to_string()));
        all.push(Setting::new("Split of the cache", split));
    }
    all.extend(record.resplit.map(|resplit| Setting::new("Split of the run", resplit.to_string())));
    all.extend([
        Setting::new(classes, count(record.classes.len())),
        Setting::new(train, sum(|class| class.train)),
        Setting::new(validation, sum(|class| class.validation)),
        Setting::new(test, sum(|class| class.test)),
    ]);
    all
}

/// What the features are, and which of them the head was trained on.
fn features(record: &Record) -> Vec<Setting> {
    let spec = &record.spec;
    let steps = spec.preprocessing.steps;
    let (filter, size) = (steps.resize, steps.size);
    let resized = match (steps.shorter_side, steps.both_sides) {
        (Some(side), _) => {
            format!("the shorter side resized to {side} ({filter}), of that the central {size} x {size}")
        }
        (None, Some(side)) => {
            format!("resized to {side} x {side} ({filter}), of that the central {size} x {size}")
        }
        (None, None) => format!("resized to {size} x {size} ({filter})"),
    };
    let stretched = steps.stretch_16bit.map_or_else(String::new, |bits| {
        format!(", {bits} bits of a 16-bit image taken for its whole range")
    });
    let pixels = format!(
        "centre {} % of each side, {resized}, values {}{stretched}; decoded by {}",
        100.0 * steps.crop,
        steps.normalization,
        spec.preprocessing.decode
    );
    vec![
        Setting::new("Backbone", format!("{}: {}", spec.backbone.name, spec.backbone.title)),
        Setting::new("SHA-256 of the backbone", spec.backbone.graph_sha256.to_string()),
        Setting::new("Layer", format!("{}, {} features per image", spec.layer, count(spec.width))),
        Setting::new("Preprocessing", pixels),
        Setting::new("Variants trained on", record.variants.join(", ")),
        Setting::new("Rows trained on", count(record.train_rows)),
    ]
}

/// The settings of the solver.
fn fit(config: &SolverConfig) -> Vec<Setting> {
    let config = match config {
        SolverConfig::Lbfgs(config) => {
            let limit = format!("L-BFGS, at most {} iterations", config.iterations);
            let mut all =
                vec![Setting::new("Solver", limit), Setting::new("L2 penalty", config.l2.to_string())];
            all.extend(optional(config.label_smoothing, &config.class_weights, config.standardize));
            return all;
        }
        SolverConfig::Linfa(config) => {
            let limit = format!("L-BFGS of linfa, at most {} iterations", config.iterations);
            return vec![Setting::new("Solver", limit), Setting::new("L2 penalty", config.l2.to_string())];
        }
        SolverConfig::Adam(config) => config,
    };
    let solver = format!("Adam, batches of {}, at most {} epochs", config.batch, config.epochs);
    let seeds =
        format!("{} for the initial weights, {} for the order of rows", config.seed, config.order_seed());
    let stopping = format!("after {} epochs without a better {}", config.patience, config.stop_on);
    let mut all = vec![
        Setting::new("Solver", solver),
        Setting::new("Learning rate", format!("{}, {}", config.lr, config.schedule)),
        Setting::new("Early stopping", stopping),
        Setting::new("L2 penalty", config.l2.to_string()),
        Setting::new("Seeds", seeds),
    ];
    if config.hidden > 0 {
        let units = format!("{} rectified units, dropout {}", count(config.hidden), config.dropout);
        all.push(Setting::new("Hidden layer", units));
    }
    if config.weight_decay > 0.0 {
        all.push(Setting::new("Weight decay", config.weight_decay.to_string()));
    }
    all.extend(optional(config.label_smoothing, &config.class_weights, config.standardize));
    all
}

/// The settings that are off by default.
fn optional(label_smoothing: f64, class_weights: &ClassWeights, standardize: bool) -> Vec<Setting> {
    let mut all = Vec::new();
    if label_smoothing > 0.0 {
        all.push(Setting::new("Label smoothing", label_smoothing.to_string()));
    }
    match class_weights {
        ClassWeights::Even => {}
        ClassWeights::Balanced => all.push(Setting::new("Class weights", "balanced")),
        ClassWeights::Given(weights) => {
            let weights: Vec<String> =
                weights.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
            all.push(Setting::new("Class weights", weights.join(",")));
        }
    }
    if standardize {
        all.push(Setting::new("Features", "standardized to mean 0 and standard deviation 1"));
    }
    all
}
