//! The subcommands `headstart duplicates` and `headstart data groups`: their arguments, and their result as text.

use super::options::Global;
use super::output::{Outcome, print_result, print_result_beside};
use super::paths::with_cache;
use super::progress::Terminal;
use super::text::{percent, table_with_header};
use crate::cache::near_duplicates::{
    ImagesWithin, NearDuplicatesConfig, NearDuplicatesStats, NearGroup, find_near_duplicates,
};
use crate::error::{Result, counted};
use std::path::PathBuf;

/// Find near-duplicates: groups of images whose features are nearly the same, such as copies and bursts
///
/// All pairs of images are compared by the cosine distance of their features, 0 for the same direction. The distribution of the
/// distances to the nearest other image is shown to choose the threshold by. Images may be in a group through others.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart duplicates cache/photos --threshold 0.01")]
pub(super) struct Args {
    /// The cache, or its URL
    cache: PathBuf,
    /// Largest cosine distance of near-duplicates, 0 to 2
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.02, allow_negative_numbers = true)]
    threshold: f64,
    /// Maximum number of threads; no result depends on it [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

/// Write a manifest of the images of a cache in which near-duplicates are one group, which `extract` keeps in one split
///
/// Groups that the images have already stay together.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart data groups --near-duplicates 0.01 --cache cache/photos --out groups.csv\n  headstart extract groups.csv --cache cache/grouped"
)]
pub(super) struct GroupsArgs {
    /// Put images into one group whose features are within this cosine distance, 0 to 2; `duplicates` shows the distances
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    near_duplicates: f64,
    /// A cache of the images, or its URL
    #[arg(long, value_name = "CACHE")]
    cache: PathBuf,
    /// Maximum number of threads; no result depends on it [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Manifest to write: .csv, .tsv, .jsonl or .parquet; an existing one is not replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Groups that are listed; the JSON has all.
const SHOWN: usize = 20;

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    terminal.stop_on_signals();
    let stats = with_cache(&args.cache, terminal, |cache| {
        let mut config = NearDuplicatesConfig::new(cache);
        (config.threshold, config.threads) = (args.threshold, args.threads);
        find_near_duplicates(&config, terminal)
    })?;
    print_result(global, &stats, || text(&stats))?;
    Ok(Outcome::Done)
}

pub(super) fn write_groups(args: GroupsArgs, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    terminal.stop_on_signals();
    let stats = with_cache(&args.cache, terminal, |cache| {
        let mut config = NearDuplicatesConfig::new(cache);
        (config.threshold, config.threads) = (args.near_duplicates, args.threads);
        config.out = Some(args.out.clone());
        find_near_duplicates(&config, terminal)
    })?;
    print_result_beside(&args.out, global, &stats, || format!("{}{}\n", text(&stats), args.out.display()))?;
    Ok(Outcome::Done)
}

fn text(stats: &NearDuplicatesStats) -> String {
    let NearDuplicatesStats { images, threshold, pairs, nearest, groups, crossing, .. } = stats;
    let grouped: usize = groups.iter().map(|group| group.images.len()).sum();
    let share = |within: &ImagesWithin| {
        let share = within.images as f64 / (*images).max(1) as f64;
        [within.distance.to_string(), within.images.to_string(), percent(share)]
    };
    let distances = table_with_header(["nearest within", "images", "share"], nearest.iter().map(share));
    let mut out = format!(
        "{}, {} within {threshold}: {} with {}; groups that cross splits: {crossing}\n\n{distances}",
        counted(*images, "image"),
        counted(*pairs, "pair"),
        counted(groups.len(), "group"),
        counted(grouped, "image")
    );
    for group in groups.iter().take(SHOWN) {
        out.push_str(&group_text(group));
    }
    if groups.len() > SHOWN {
        out.push_str(&format!(
            "\n... and {} (--json has all)\n",
            counted(groups.len() - SHOWN, "more group")
        ));
    }
    out
}

fn group_text(group: &NearGroup) -> String {
    let images =
        group.images.iter().map(|image| format!("  {} ({}, {})\n", image.path, image.label, image.split));
    format!("\n{} images\n{}", group.images.len(), images.collect::<String>())
}
