//! The commands that make a run again.

use crate::augment::Variant;
use crate::dataset::Division;
use crate::error::Result;
use crate::head::{ClassWeights, FitConfig, SolverConfig};
use crate::report::CommandLine;
use crate::run::{self, Record};
use crate::store::{FeatureStore, Samples};
use std::collections::BTreeSet;
use std::path::Path;

/// What the commands are made from.
struct Origin {
    record: Record,
    /// `None` if the cache cannot be read.
    samples: Option<Samples>,
    /// Whether held-out images have variants too.
    has_held_out_variants: bool,
}

/// The commands that make features, run and report again, in order. Without the cache, which knows the folder of images, the
/// first one is left out.
///
/// # Errors
/// [`Kind::Run`](crate::error::Kind::Run) when the run is missing or damaged.
pub(super) fn commands(run: &Path) -> Result<Vec<CommandLine>> {
    let record = run::read_record(run)?;
    let samples = FeatureStore::open(Path::new(&record.cache)).and_then(|store| store.samples()).ok();
    let predictions = run::read_predictions(run)?;
    let has_held_out_variants = predictions.iter().any(|row| row.variant != Variant::None);
    let origin = Origin { record, samples, has_held_out_variants };
    let run = run.to_string_lossy();
    let command =
        |label: &str, arguments: &[String]| CommandLine { label: label.into(), line: line(arguments) };
    let mut all = Vec::new();
    all.extend(extract(&origin).map(|arguments| command("Extract the features", &arguments)));
    all.push(command("Train the head", &train(&origin.record, &run)));
    all.push(command("Evaluate it", &words(["evaluate", &run])));
    all.push(command("Write the report", &words(["report", &run])));
    Ok(all)
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

/// Characters in a line at most, if it can be broken before an option.
const LINE: usize = 72;

/// A command for a shell, over several lines if it is long.
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

/// Quotes a word for a POSIX shell.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Extracts the features that the run needs; `None` without the cache.
fn extract(origin: &Origin) -> Option<Vec<String>> {
    let (samples, record) = (origin.samples.as_ref()?, &origin.record);
    let root = samples.root.to_string_lossy();
    let mut all =
        words(["extract", &root, "--cache", &record.cache, "--backbone", &record.spec.backbone.name]);
    all.extend(words(["--layer", &record.spec.layer]));
    all.extend(words(["--crop", &record.spec.preprocessing.steps.crop.to_string()]));
    all.extend(words(["--split", &samples.fractions.to_string(), "--seed", &samples.seed.to_string()]));
    let variants = record.variants.iter().filter_map(|name| name.parse::<Variant>().ok());
    let asked: BTreeSet<String> = variants.filter_map(augmentation).collect();
    all.extend(asked.iter().flat_map(|name| words(["--augment", name])));
    if origin.has_held_out_variants {
        all.extend(words(["--augment-splits", "all"]));
    }
    Some(all)
}

/// The value of `extract --augment` that makes the variant.
fn augmentation(variant: Variant) -> Option<String> {
    match variant {
        Variant::None => None,
        Variant::Flip => Some("flip".into()),
        Variant::Shift { dx, dy } => Some(format!("shift:{}", dx.abs().max(dy.abs()))),
    }
}

fn train(record: &Record, run: &str) -> Vec<String> {
    let mut all = words(["train", &record.cache, "--run", run, "--use", &record.variants.join(",")]);
    match &record.config {
        SolverConfig::Lbfgs(config) => {
            all.extend(words(["--solver", "lbfgs", "--l2", &config.l2.to_string()]));
            all.extend(words(["--epochs", &config.iterations.to_string()]));
        }
        SolverConfig::Adam(config) => all.extend(adam(config)),
    }
    match record.division {
        Some(Division::Resplit { seed }) => all.extend(words(["--resplit", &seed.to_string()])),
        Some(Division::Fold { folds, .. }) => all.extend(words(["--folds", &folds.to_string()])),
        None => {}
    }
    all.extend(record.init.iter().flat_map(|init| words(["--init", init])));
    all.extend(record.memory.iter().flat_map(|memory| words(["--memory", &format!("{memory}B")])));
    all
}

/// All settings, including those that equal the defaults of this version.
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

/// The value of `--class-weights`; `None` if all classes have the same weight.
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
    fn a_shell_passes_quoted_words_on_unchanged() {
        assert_eq!(
            line(&words(["train", "a b", "it's", "plain-1.2,3", ""])),
            "headstart train 'a b' 'it'\\''s' plain-1.2,3 ''"
        );
        let odd = "a$b `c` \"d\" 'e' \\ *\n<script>";
        let printed = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", quote(odd))])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), odd);
    }
}
