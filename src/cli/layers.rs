//! The subcommand `headstart layers`: its arguments, and its result as text.

use super::options::Global;
use super::output::{Outcome, print_result};
use super::paths::{as_given, with_caches};
use super::progress::Terminal;
use super::text::{percent, percent_range, percentage_points, table_with_header};
use crate::cache::layers::caches_in;
use crate::data::dataset::Resplit;
use crate::error::Result;
use crate::metrics::ResampledMean;
use crate::train::layers::{LayerScore, LayersComparison, LayersConfig, compare_layers};
use std::path::PathBuf;

/// Compare layers and backbones: which features of the same images make the best head
///
/// Heads are fitted to the features of each cache in the same folds within the train images, as `train --auto` does: L-BFGS, with
/// the penalty and the standardization chosen by the other folds. Differences are paired, fold by fold, and their intervals allow
/// for folds that share images. The test images play no part.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart layers cache/layers\n  headstart layers cache/layers/Mixed_6e cache/photos-lite0"
)]
pub(super) struct Args {
    /// Caches of the same images with the same split, or their URLs; a folder of caches, as `extract` with several layers writes it, stands for
    /// all of them
    #[arg(required = true, value_name = "CACHE")]
    caches: Vec<PathBuf>,
    /// Variants to train on: families (none, shift, flip) or exact variants, separated by commas
    #[arg(long = "use", value_name = "VARIANTS", value_delimiter = ',', default_value = "none")]
    variants: Vec<String>,
    /// Split the images anew with this seed, with the percentages of the caches
    #[arg(long, value_name = "SEED")]
    resplit: Option<u64>,
    /// Maximum number of threads; no score depends on it [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let given = args.caches.clone();
    with_caches(&given, terminal, Box::new(|folders| run_on(args, folders, global, terminal)))
}

/// Compares the caches in `folders`.
fn run_on(args: Args, folders: Vec<PathBuf>, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let mut config = LayersConfig::new(with_folders(folders.clone())?);
    config.variants = args.variants;
    config.resplit = args.resplit.map(|seed| Resplit::Random { seed });
    config.threads = args.threads;
    let mut compared = compare_layers(&config, terminal)?;
    for layer in &mut compared.layers {
        layer.cache = as_given(&layer.cache, &folders, &args.caches);
    }
    print_result(global, &compared, || summary(&compared))?;
    Ok(Outcome::Done)
}

/// The caches, where a folder of caches stands for those in it.
pub(super) fn with_folders(paths: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let mut caches = Vec::new();
    for path in paths {
        match caches_in(&path)? {
            inside if inside.is_empty() => caches.push(path),
            inside => caches.extend(inside),
        }
    }
    Ok(caches)
}

fn summary(compared: &LayersComparison) -> String {
    let LayersComparison { images, folds, repeats, layers } = compared;
    let times = if *repeats == 1 { String::new() } else { format!(", {repeats} times") };
    let row = |score: &LayerScore| {
        [
            score.layer.clone(),
            score.backbone.clone(),
            score.width.to_string(),
            format!("{} ({})", percent(score.accuracy.mean), percent_range(score.accuracy.interval)),
            score.difference.map_or("best".into(), points_less),
            score.cache.display().to_string(),
        ]
    };
    let names = ["layer", "backbone", "features", "accuracy (95 %)", "points less (95 %)", "cache"];
    format!(
        "accuracy of linear heads in {folds} folds within {images} train images{times}\n\n{}\n{}",
        table_with_header(names, layers.iter().map(row)),
        advice(layers)
    )
}

/// Which to use, and the command.
fn advice(layers: &[LayerScore]) -> String {
    let best = &layers[0];
    let near: Vec<&str> =
        layers[1..].iter().filter(|one| one.may_be_as_good()).map(|one| one.layer.as_str()).collect();
    format!(
        "use {} of {}: {}\n  headstart train {} --auto --run RUN\n",
        best.layer,
        best.backbone,
        how_clearly(&near),
        best.cache.display()
    )
}

/// How the best layer stands to those that may be as good.
pub(super) fn how_clearly(near: &[&str]) -> String {
    match near.is_empty() {
        true => "better than every other one".to_string(),
        false => format!("most accurate, but not clearly better than {}", near.join(", ")),
    }
}

/// A difference from the best layer with its interval.
pub(super) fn points_less(difference: ResampledMean) -> String {
    let [low, high] = difference.interval.map(percentage_points);
    format!("{} ({low} to {high})", percentage_points(difference.mean))
}
