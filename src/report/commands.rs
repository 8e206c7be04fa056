//! How a run was made: its settings.

use super::Material;
use crate::head::{ClassWeights, SolverConfig};
use crate::preprocess::Normalization;
use crate::run::{ClassCount, Record};
use crate::words::{count, moment, seconds};

/// Names and values, for people.
pub(super) fn settings(material: &Material) -> Vec<(&'static str, String)> {
    let record = &material.record;
    let mut all = data(material);
    all.extend(features(record));
    all.extend(fit(&record.config));
    all.extend(record.init.clone().map(|init| ("Started from", init)));
    all.extend(record.memory.map(|memory| ("Memory for features", format!("{memory} bytes"))));
    all.extend([
        ("Epochs", format!("{}, the best one {}", record.history.len(), record.best_epoch)),
        ("Time of the fit", seconds(record.seconds)),
        ("Trained", date_time(record.time)),
        ("Version", format!("headstart {}", record.version)),
    ]);
    all
}

/// Where the images are and how they are split.
fn data(material: &Material) -> Vec<(&'static str, String)> {
    let record = &material.record;
    let images = |get: fn(&ClassCount) -> usize| count(record.classes.iter().map(get).sum());
    let mut all = vec![("Run", material.run.display().to_string()), ("Cache", record.cache.clone())];
    if let Some(samples) = &material.samples {
        let split = format!("{} for train, validation and test, seed {}", samples.fractions, samples.seed);
        all.extend([("Images", samples.root.display().to_string()), ("Split of the cache", split)]);
    }
    all.extend(record.resplit.map(|resplit| ("Split of the run", resplit.to_string())));
    all.extend([
        ("Classes", count(record.classes.len())),
        ("Train images", images(|class| class.train)),
        ("Validation images", images(|class| class.validation)),
        ("Test images", images(|class| class.test)),
    ]);
    all
}

/// What the features are, and which were trained on.
fn features(record: &Record) -> Vec<(&'static str, String)> {
    let spec = &record.spec;
    let steps = spec.preprocessing.steps;
    let scale = match steps.normalization {
        Normalization::Unit => "0 to 1",
        Normalization::Symmetric => "-1 to 1",
        Normalization::Imagenet => "ImageNet's mean and deviation",
    };
    let pixels = format!(
        "centre {} % of each side, resized to {} x {} (bilinear), values {scale}; decoded by {}",
        100.0 * steps.crop,
        steps.size,
        steps.size,
        spec.preprocessing.decode
    );
    vec![
        ("Network", format!("{}: {}", spec.backbone.name, spec.backbone.title)),
        ("Digest of the network", spec.backbone.graph_sha256.to_string()),
        ("Layer", format!("{}, {} numbers an image", spec.layer, count(spec.width))),
        ("Preprocessing", pixels),
        ("Variants trained on", record.variants.join(", ")),
        ("Rows trained on", count(record.train_rows)),
    ]
}

/// The settings of the solver.
fn fit(config: &SolverConfig) -> Vec<(&'static str, String)> {
    let config = match config {
        SolverConfig::Lbfgs(config) => {
            let limit = format!("L-BFGS, at most {} iterations", config.iterations);
            return vec![("Solver", limit), ("L2 penalty", config.l2.to_string())];
        }
        SolverConfig::Adam(config) => config,
    };
    let mut all = vec![
        ("Solver", format!("Adam, batches of {}, at most {} epochs", config.batch, config.epochs)),
        ("Learning rate", format!("{}, {}", config.lr, config.schedule)),
        ("Early stopping", format!("after {} epochs without a better {}", config.patience, config.stop_on)),
        ("L2 penalty", config.l2.to_string()),
        (
            "Seeds",
            format!("{} for the first weights, {} for the order of rows", config.seed, config.order_seed()),
        ),
    ];
    if config.label_smoothing > 0.0 {
        all.push(("Label smoothing", config.label_smoothing.to_string()));
    }
    if let Some(weights) = weights(&config.class_weights) {
        all.push(("Class weights", weights));
    }
    if config.standardize {
        all.push(("Features", "brought to mean 0 and deviation 1".into()));
    }
    all
}

/// As `--class-weights` takes them; `None` where all classes count the same.
fn weights(weights: &ClassWeights) -> Option<String> {
    match weights {
        ClassWeights::Even => None,
        ClassWeights::Balanced => Some("balanced".into()),
        ClassWeights::Given(all) => {
            Some(all.iter().map(|(name, weight)| format!("{name}={weight}")).collect::<Vec<_>>().join(","))
        }
    }
}
