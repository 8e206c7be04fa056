//! `headstart extract`

use super::text::{percent, seconds, splits};
use super::{Ended, Global, complain_of, now, parse, print, progress::Terminal};
use crate::augment::Augmentation;
use crate::backbone::{Device, PRELOGITS};
use crate::dataset::Fractions;
use crate::error::Result;
use crate::extract::{
    AugmentSplits, COMMIT_EVERY, ExtractConfig, ExtractStats, MissingRows, StageTimes, extract,
};
use crate::setup::BackboneChoice;
use std::path::PathBuf;
use std::time::Duration;

/// Compute and cache the features of a folder of images; a second run computes only what is missing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  headstart extract photos --cache cache/photos --augment shift:30 --augment flip"
)]
pub(super) struct Args {
    #[arg(help = "Folder of images: IMAGES/<class>/<file>")]
    images: PathBuf,
    /// The cache to make or to complete
    #[arg(long)]
    cache: PathBuf,
    /// A known backbone, or the path of an ONNX file
    #[arg(long, value_name = "NAME|FILE.onnx", default_value = "nsfwjs")]
    backbone: String,
    /// The layer to embed (`backbone list` names them); one with positions is averaged over them
    #[arg(long, default_value = PRELOGITS)]
    layer: String,
    /// How pixels enter, instead of the backbone's own way: unit, inception, imagenet or stretched
    #[arg(long, value_name = "NAME")]
    preprocess: Option<String>,
    /// Keep the centre F of each side, instead of the backbone's own crop
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    crop: Option<f64>,
    /// Add variants: shift:N (four shifts by N pixels) or flip; may be repeated
    #[arg(long, value_name = "AUGMENTATION", value_delimiter = ',', value_parser = parse::<Augmentation>)]
    augment: Vec<Augmentation>,
    /// Which splits get variants: train or all
    #[arg(long, value_name = "SPLITS", default_value = "train", value_parser = parse::<AugmentSplits>)]
    augment_splits: AugmentSplits,
    /// Percentages of train/validation/test [default: 70/5/25, or what the cache has]
    #[arg(long, value_name = "A/B/C", value_parser = parse::<Fractions>)]
    split: Option<Fractions>,
    /// Seed of the split [default: 0, or what the cache has]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Where to run: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "D", default_value = "auto", value_parser = parse::<Device>)]
    device: Device,
    /// Images in a batch [default: 4 on a CPU, 64 elsewhere]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Seconds after which computed features are on disk: what a crash costs
    #[arg(long, value_name = "SECONDS", default_value_t = COMMIT_EVERY.as_secs(), value_parser = clap::value_parser!(u64).range(..=3600))]
    commit_every: u64,
    /// Only say what would be computed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let config = ExtractConfig {
        images: args.images,
        cache: args.cache,
        backbone: BackboneChoice {
            backbone: args.backbone,
            layer: args.layer,
            preprocess: args.preprocess,
            crop: args.crop,
            models: global.models.clone(),
        },
        augment: args.augment,
        augment_splits: args.augment_splits,
        split: args.split,
        seed: args.seed,
        device: args.device,
        batch: args.batch,
        threads: args.threads,
        commit_every: Duration::from_secs(args.commit_every),
        dry_run: args.dry_run,
        time: now(),
    };
    terminal.stop_on_signals();
    let stats = extract(&config, terminal)?;
    let ended = complain_of(&stats.refused);
    print(global, &stats, || told(&stats))?;
    Ok(ended)
}

/// Why rows are missing, in words.
fn why(missing: &MissingRows) -> String {
    let MissingRows { rows, of_new_images, .. } = missing;
    match rows - of_new_images {
        0 => "images that have no features yet".into(),
        n if n == *rows => "images that have features, but not of this variant".into(),
        n => format!("images: {of_new_images} have no features yet, {n} lack only this variant"),
    }
}

pub(super) fn told(stats: &ExtractStats) -> String {
    let mut out = format!(
        "{} of {}\n{} images in {} classes: {}\n",
        stats.layer,
        stats.backbone,
        stats.samples,
        stats.classes,
        splits(&stats.splits)
    );
    let refused = stats.refused.len();
    if refused > 0 {
        let share = refused as f64 / (refused + stats.samples) as f64;
        out.push_str(&format!("files refused: {refused} ({})\n", percent(share)));
    }
    if stats.dry_run {
        out.push_str(&format!(
            "{} feature rows would be computed, {} are there\n",
            stats.computed, stats.rows
        ));
        for missing in &stats.missing {
            out.push_str(&format!("  {:<15} {:>7}  {}\n", missing.variant, missing.rows, why(missing)));
        }
        out.push_str(
            "a dry run opens no network: whether the layer and the device can be used was not tried\n",
        );
        return out;
    }
    out.push_str(&format!("{} feature rows, {} of them computed now", stats.rows, stats.computed));
    if let (Some(rate), Some(provider)) = (stats.images_per_second, &stats.provider) {
        out.push_str(&format!(": {rate:.1} images/s on {provider}"));
    }
    out.push_str(&format!(", {} in all\n", seconds(stats.seconds)));
    if let (Some(stages), Some(busy)) = (&stats.stages, stats.busy) {
        out.push_str(&spent(stages, busy));
    }
    out
}

/// Where the time went.
fn spent(stages: &StageTimes, busy: f64) -> String {
    let StageTimes { decode_seconds, embed_seconds, write_seconds, sessions, .. } = *stages;
    let sessions = if sessions == 1 { "1 session".into() } else { format!("{sessions} sessions") };
    format!(
        "the network ({sessions}) was busy {} of the time; time of all threads: network {}, decoding {}, writing {}\n",
        percent(busy),
        seconds(embed_seconds),
        seconds(decode_seconds),
        seconds(write_seconds)
    )
}
