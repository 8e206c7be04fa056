//! The subcommand `headstart extract`: its arguments, and its result as text.

use super::distributed::DistributedArgs;
use super::options::{DataSet, DataSetArgs, Global, Machine, Size, now, parse};
use super::output::{Outcome, list_refused, print_result};
use super::progress::Terminal;
use super::text::{percent, seconds, splits, table_with_header};
use crate::backbone::BackboneChoice;
use crate::backbone::Pool;
use crate::cache::{Access, with_local_copy};
use crate::data::augment::Augmentation;
use crate::data::dataset::Fractions;
use crate::data::group_pattern::GroupPattern;
use crate::error::{Result, counted};
use crate::extract::{
    AugmentSplits, COMMIT_EVERY, ExtractConfig, ExtractStats, GroupStats, LayersStats, MissingRows,
    StageTimes, extract, extract_layers, is_layers_folder,
};
use std::path::PathBuf;
use std::time::Duration;

/// Compute the features of a folder of images and cache them
///
/// A second run computes only what is missing, and keeps the backbone, layer, preprocessing and split of the cache. With --plan, --shard and --finish IMAGES may be a URL such as s3://BUCKET/PHOTOS. Ctrl-C finishes the batch and keeps what was computed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  headstart extract photos --cache cache/photos --augment shift:30 --augment flip\n  headstart extract photos --cache cache/layers --layer PreLogits --layer Mixed_6e"
)]
pub(super) struct Args {
    #[command(flatten)]
    data: DataSetArgs,
    /// Cache to create or to complete, a folder or a URL such as s3://BUCKET/CACHE; with several layers a folder that gets one cache for each, such as CACHE/PreLogits
    #[arg(long)]
    cache: PathBuf,
    /// Name of an installed backbone, path of an ONNX file, or path of a folder with model.onnx and preprocessor_config.json or
    /// headstart.toml (`./NAME` for one in the working folder) [default: that of the cache; for a new one that of
    /// `headstart backbone use`, at first nsfwjs]
    #[arg(long, value_name = "NAME|FILE.onnx|DIR")]
    backbone: Option<String>,
    /// Layer whose values are the features (`backbone inspect` names them); a layer with positions is averaged over them.
    /// Several joined by `+`, such as Mixed_6e+PreLogits, are concatenated. May be repeated: the network then runs once for all
    /// of them, and `headstart layers` compares them [default: that of the cache, or
    /// PreLogits; of nsfwjs, try Mixed_7a as well]
    #[arg(long)]
    layer: Vec<String>,
    /// How a layer with tokens becomes one row of features: cls (the first token), mean, mean-patches (the mean of all but the
    /// first); channels-last for a layer [height, width, channels] [default: as the backbone says]
    #[arg(long, value_name = "POOL", value_parser = parse::<Pool>)]
    pool: Option<Pool>,
    /// Preprocessing: own for the backbone's own, or unit, inception, imagenet, stretched or raw, with settings after it such
    /// as imagenet,resize=bicubic,shorter-side=256,size=224 [default: that of the cache, or own]
    #[arg(long, value_name = "NAME")]
    preprocess: Option<String>,
    /// Keep the centre F of each side instead of the backbone's own crop; above 0, up to 1
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    crop: Option<f64>,
    /// Take N bits for the whole range of a 16-bit image that needs no more of them, such as 12 for a camera of 12 bits
    #[arg(long = "stretch-16bit", value_name = "N", allow_negative_numbers = true)]
    stretch_16bit: Option<u8>,
    /// Add variants: flip (mirror image), shift:N (four shifts by N pixels), rotate:N (both ways by N degrees), crop:F,
    /// scale:F, brightness:F, contrast:F, saturation:F, blur:N or noise:N, or several after one another such as
    /// flip+rotate:10; may be repeated
    #[arg(long, value_name = "AUGMENTATION", value_delimiter = ',', value_parser = parse::<Augmentation>)]
    augment: Vec<Augmentation>,
    /// Splits whose images get variants: train or all
    #[arg(long, value_name = "SPLITS", default_value = "train", value_parser = parse::<AugmentSplits>)]
    augment_splits: AugmentSplits,
    /// Group images by their paths: what the first brackets of this regular expression match, such as '([^/]+)_[0-9]+', is
    /// the group, and the images of a group are in one split and one fold [default: that of the cache; '' for none]
    #[arg(long, value_name = "REGEX", value_parser = parse::<GroupPattern>)]
    group_by: Option<GroupPattern>,
    /// Read every file again, even if its size, times and inode are unchanged
    #[arg(long)]
    rehash: bool,
    /// Percentages of train/validation/test [default: those of the cache, or 70/5/25 for a new one]; where
    /// all splits are folders or rows of a manifest they divide the train images, and the default is 100/0/0
    #[arg(long, value_name = "A/B/C", value_parser = parse::<Fractions>)]
    split: Option<Fractions>,
    /// Seed of the split [default: that of the cache, or 0 for a new one]
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    #[command(flatten)]
    machine: Machine,
    /// Write computed features to disk at least this often, in seconds: the most work that a crash can lose
    #[arg(long, value_name = "SECONDS", default_value_t = COMMIT_EVERY.as_secs(), value_parser = clap::value_parser!(u64).range(..=3600))]
    commit_every: u64,
    /// Report what would be computed, and compute nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    distributed: DistributedArgs,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let layers = args.layer.clone();
    let distributed = args.distributed.clone();
    let config = config(args, global);
    terminal.stop_on_signals();
    let given = config.cache.clone();
    if distributed.is_of_worker() {
        return distributed.run(config, given, &layers, global, terminal);
    }
    let access = if distributed.is_chosen() { Access::CreateWithKeys } else { Access::Create };
    with_local_copy(&given, access, terminal, |cache| {
        let config = ExtractConfig { cache: cache.to_path_buf(), ..config };
        match distributed.is_chosen() {
            true => distributed.run(config, given.clone(), &layers, global, terminal),
            false => extract_here(&config, &layers, global, terminal),
        }
    })
}

/// Extracts in this process.
fn extract_here(
    config: &ExtractConfig,
    layers: &[String],
    global: &Global,
    terminal: &Terminal,
) -> Result<Outcome> {
    if layers.len() > 1 || is_layers_folder(&config.cache)? {
        let stats = extract_layers(config, layers, terminal)?;
        let mut refused: Vec<_> =
            stats.layers.iter().flat_map(|layer| &layer.stats.refused).cloned().collect();
        refused.sort();
        refused.dedup();
        let ended = list_refused(&refused);
        print_result(global, &stats, || summary_of_layers(&stats))?;
        return Ok(ended);
    }
    let stats = extract(config, terminal)?;
    let ended = list_refused(&stats.refused);
    print_result(global, &stats, || summary(&stats))?;
    Ok(ended)
}

fn config(args: Args, global: &Global) -> ExtractConfig {
    let DataSet { images, layout, manifest } = args.data.chosen();
    ExtractConfig {
        images,
        manifest,
        group_by: args.group_by,
        cache: args.cache,
        backbone: BackboneChoice {
            backbone: args.backbone,
            layer: args.layer.into_iter().next(),
            pool: args.pool,
            preprocess: args.preprocess,
            crop: args.crop,
            stretch_16bit: args.stretch_16bit,
            models: global.models.clone(),
        },
        augment: args.augment,
        augment_splits: args.augment_splits,
        layout,
        rehash: args.rehash,
        split: args.split,
        seed: args.seed,
        device: args.machine.device,
        batch: args.machine.batch,
        threads: args.machine.threads,
        decode_memory: args.machine.decode_memory.map(Size::bytes),
        commit_every: Duration::from_secs(args.commit_every),
        dry_run: args.dry_run,
        time: now(),
    }
}

/// The common part once, then a line for each layer.
fn summary_of_layers(stats: &LayersStats) -> String {
    let Some(first) = stats.layers.first().map(|layer| &layer.stats) else { return String::new() };
    let mut out = format!("{} layers of {}\n{}", stats.layers.len(), first.backbone, data_set(first));
    let done = if first.dry_run { "would be computed" } else { "computed now" };
    let rows = stats.layers.iter().map(|layer| {
        let ExtractStats { layer: name, rows, computed, .. } = &layer.stats;
        [name.clone(), rows.to_string(), computed.to_string(), layer.cache.display().to_string()]
    });
    out.push_str(&table_with_header(["layer", "rows", done, "cache"], rows));
    let most = stats.layers.iter().map(|layer| &layer.stats).max_by_key(|stats| stats.computed);
    if let Some(most) = most.filter(|stats| !stats.dry_run && stats.computed > 0) {
        if let (Some(rate), Some(provider)) = (most.images_per_second, &most.provider) {
            let took = seconds(most.seconds);
            out.push_str(&format!("{rate:.1} images/s on {provider}, {took} in all\n"));
        }
        out.push_str(
            &most.stages.iter().zip(most.busy).map(|(stages, busy)| spent(stages, busy)).collect::<String>(),
        );
    }
    if first.dry_run {
        out.push_str(DRY_RUN);
    } else if let Some(folder) = stats.layers[0].cache.parent() {
        out.push_str(&format!("compare them with: headstart layers {}\n", folder.display()));
    }
    out
}

/// A dry run proves less than a run.
const DRY_RUN: &str =
    "a dry run opens no network, so it does not try whether the layer and the device can be used\n";

/// Why rows are missing.
fn why(missing: &MissingRows) -> String {
    let MissingRows { rows, of_new_images, .. } = missing;
    match rows - of_new_images {
        0 => "images that have no features yet".into(),
        n if n == *rows => "images that have features, but not of this variant".into(),
        n => format!("images: {of_new_images} have no features yet, {n} lack only this variant"),
    }
}

pub(super) fn summary(stats: &ExtractStats) -> String {
    let mut out = format!("{} of {}\n{}", stats.layer, stats.backbone, data_set(stats));
    if stats.dry_run {
        out.push_str(&format!(
            "{} to compute, {} in the cache\n",
            counted(stats.computed, "feature row"),
            stats.rows
        ));
        for missing in &stats.missing {
            out.push_str(&format!("  {:<15} {:>7}  {}\n", missing.variant, missing.rows, why(missing)));
        }
        out.push_str(DRY_RUN);
        return out;
    }
    out.push_str(&format!(
        "{}, {} of them computed now",
        counted(stats.rows, "feature row"),
        stats.computed - stats.unused
    ));
    if stats.unused > 0 {
        out.push_str(&format!(", {} more of images that were refused or vanished", stats.unused));
    }
    if let (Some(rate), Some(provider)) = (stats.images_per_second, &stats.provider) {
        out.push_str(&format!(": {rate:.1} images/s on {provider}"));
    }
    out.push_str(&format!(", {} in all\n", seconds(stats.seconds)));
    if let (Some(stages), Some(busy)) = (&stats.stages, stats.busy) {
        out.push_str(&spent(stages, busy));
        if let Some(better) = stats.better_layer {
            out.push_str(&format!(
                "{better} of this network may suit your images better than {0}: --layer {0} --layer {better} with a new --cache \
                 extracts both, headstart layers compares them\n",
                stats.layer
            ));
        }
    }
    out
}

/// What the images are.
fn data_set(stats: &ExtractStats) -> String {
    let folders = if stats.layout.contains('/') { " (splits are folders)" } else { "" };
    let ExtractStats { samples, classes, several_labels, .. } = stats;
    let mut out = format!(
        "{} in {}: {}{folders}\n",
        counted(*samples, "image"),
        counted(*classes, if *several_labels { "label" } else { "class" }),
        splits(&stats.splits)
    );
    if stats.unlabelled > 0 {
        out.push_str(&format!("{} without a label besides\n", counted(stats.unlabelled, "image")));
    }
    if let Some(GroupStats { groups, largest, without, shares }) = &stats.groups {
        let shares = shares.map(percent).join(", ");
        out.push_str(&format!(
            "{}, the largest of {}; images without a group: {without}; {shares} of the images are train, \
             validation and test\n",
            counted(*groups, "group"),
            counted(*largest, "image")
        ));
    }
    let refused = stats.refused.len();
    if refused > 0 {
        let share = refused as f64 / (refused + stats.samples) as f64;
        out.push_str(&format!("files refused: {refused} ({})\n", percent(share)));
    }
    out
}

/// How the time was spent.
fn spent(stages: &StageTimes, busy: f64) -> String {
    let StageTimes { decode_seconds, embed_seconds, write_seconds, sessions, .. } = *stages;
    let sessions = counted(sessions, "session");
    format!(
        "the network ({sessions}) was busy {} of the time; time of all threads: network {}, decoding {}, writing {}\n",
        percent(busy),
        seconds(embed_seconds),
        seconds(decode_seconds),
        seconds(write_seconds)
    )
}
