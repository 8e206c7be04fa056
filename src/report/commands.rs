//! How a run was made: its settings, and the commands that make it again.

use super::Material;
use crate::augment::Variant;
use crate::dataset::Resplit;
use crate::head::{ClassWeights, FitConfig, SolverConfig};
use crate::preprocess::Scale;
use crate::run::{ClassCount, Record};
use crate::words::{count, moment, seconds};
use std::collections::BTreeSet;

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
        ("Trained", moment(record.time)),
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
    let scale = match steps.scale {
        Scale::Unit => "0 to 1",
        Scale::Symmetric => "-1 to 1",
        Scale::Imagenet => "ImageNet's mean and deviation",
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

/// The commands, one a line, that make features, run and report again.
pub(super) fn commands(material: &Material) -> Vec<String> {
    let run = material.run.to_string_lossy().into_owned();
    let mut all: Vec<Vec<String>> = extract(material).into_iter().collect();
    all.push(train(material, &run));
    all.push(words(["evaluate", &run]));
    all.push(words(["report", &run]));
    all.iter().map(|words| line(words)).collect()
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

/// The longest line of a command, where it can be broken before an option.
const LINE: usize = 72;

/// A command as a shell takes it, on as many lines as it needs.
fn line(words: &[String]) -> String {
    let mut out = String::from("headstart");
    let mut here = out.len();
    for word in words.iter().map(|word| quote(word)) {
        let breaks = word.starts_with("--") && here + word.len() + 12 > LINE;
        out.push_str(if breaks { " \\\n    " } else { " " });
        here = if breaks { 4 } else { here + 1 } + word.chars().count();
        out.push_str(&word);
    }
    out
}

/// A word as a POSIX shell takes it for one.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The features that the run needs, where the cache still says where its images are.
fn extract(material: &Material) -> Option<Vec<String>> {
    let (samples, record) = (material.samples.as_ref()?, &material.record);
    let root = samples.root.to_string_lossy();
    let mut all =
        words(["extract", &root, "--cache", &record.cache, "--backbone", &record.spec.backbone.name]);
    all.extend(words(["--layer", &record.spec.layer]));
    all.extend(words(["--crop", &record.spec.preprocessing.steps.crop.to_string()]));
    all.extend(words(["--split", &samples.fractions.to_string(), "--seed", &samples.seed.to_string()]));
    let variants = record.variants.iter().filter_map(|name| name.parse::<Variant>().ok());
    let asked: BTreeSet<String> = variants.filter_map(augmentation).collect();
    all.extend(asked.iter().flat_map(|name| words(["--augment", name])));
    if material.is_varied {
        all.extend(words(["--augment-splits", "all"]));
    }
    Some(all)
}

/// What `extract --augment` calls the family that the variant is of.
fn augmentation(variant: Variant) -> Option<String> {
    match variant {
        Variant::None => None,
        Variant::Flip => Some("flip".into()),
        Variant::Shift { dx, dy } => Some(format!("shift:{}", dx.abs().max(dy.abs()))),
    }
}

fn train(material: &Material, run: &str) -> Vec<String> {
    let record = &material.record;
    let mut all = words(["train", &record.cache, "--run", run, "--use", &record.variants.join(",")]);
    match &record.config {
        SolverConfig::Lbfgs(config) => {
            all.extend(words(["--solver", "lbfgs", "--l2", &config.l2.to_string()]));
            all.extend(words(["--epochs", &config.iterations.to_string()]));
        }
        SolverConfig::Adam(config) => all.extend(adam(config)),
    }
    match record.resplit {
        Some(Resplit::Random { seed }) => all.extend(words(["--resplit", &seed.to_string()])),
        Some(Resplit::Fold { folds, .. }) => all.extend(words(["--folds", &folds.to_string()])),
        None => {}
    }
    all.extend(record.init.iter().flat_map(|init| words(["--init", init])));
    all.extend(record.memory.iter().flat_map(|memory| words(["--memory", &format!("{memory}B")])));
    all
}

/// All settings, those too that are the defaults of this version.
fn adam(config: &FitConfig) -> Vec<String> {
    let values = [
        ("--lr", config.lr.to_string()),
        ("--batch", config.batch.to_string()),
        ("--epochs", config.epochs.to_string()),
        ("--patience", config.patience.to_string()),
        ("--l2", config.l2.to_string()),
        ("--seed", config.seed.to_string()),
        ("--shuffle-seed", config.order_seed().to_string()),
        ("--min-delta", config.min_delta.to_string()),
        ("--stop-on", config.stop_on.to_string()),
        ("--schedule", config.schedule.to_string()),
        ("--label-smoothing", config.label_smoothing.to_string()),
    ];
    let mut all: Vec<String> =
        values.into_iter().flat_map(|(flag, value)| [flag.to_string(), value]).collect();
    all.extend(
        weights(&config.class_weights).into_iter().flat_map(|weights| ["--class-weights".into(), weights]),
    );
    let switches = [
        ("--standardize", config.standardize),
        ("--total-patience", !config.patience_resets),
        ("--no-shuffle", !config.shuffle),
        ("--drop-last", config.drop_last),
    ];
    all.extend(switches.into_iter().filter(|(_, is_on)| *is_on).map(|(flag, _)| flag.to_string()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_as_they_are() {
        assert_eq!(
            line(&words(["train", "a b", "it's", "plain-1.2,3", ""])),
            "headstart train 'a b' 'it'\\''s' plain-1.2,3 ''"
        );
        // As `sh` reads it.
        let odd = "a$b `c` \"d\" 'e' \\ *\n<script>";
        let said = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", quote(odd))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), odd);
    }
}
