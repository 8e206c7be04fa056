//! `headstart cache`

use super::text::{headed, splits};
use super::{Ended, Global, parse, print, progress::Terminal};
use crate::error::{Error, Kind, Result};
use crate::monitor::Monitor;
use crate::store;
use crate::store::compact::{CompactConfig, CompactStats, compact};
use crate::store::export::{ExportFormat, ExportStats, export};
use crate::store::info::{CacheInfo, info};
use std::path::{Path, PathBuf};

/// Look into a cache, check it, tidy it, or export it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart cache verify cache/photos --dry-run")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What the features are, and how many there are
    #[command(after_help = "Example:\n  headstart cache info cache/photos")]
    Info {
        /// The cache
        cache: PathBuf,
    },
    /// Rehash and decode every part; move bad ones to CACHE/damaged and exit with 1
    #[command(after_help = "Example:\n  headstart cache verify cache/photos --dry-run")]
    Verify {
        /// The cache
        cache: PathBuf,
        /// Only tell, move nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Join small parts into large ones, in one step for whoever reads
    #[command(after_help = "Example:\n  headstart cache compact cache/photos --prune --dry-run")]
    Compact {
        /// The cache
        cache: PathBuf,
        /// Drop the features of images that are gone
        #[arg(long)]
        prune: bool,
        /// Only tell, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Samples joined with features as one file: Parquet, npy (with a CSV beside it), safetensors or Arrow IPC
    #[command(after_help = "Example:\n  headstart cache export cache/photos --out photos.parquet")]
    Export {
        /// The cache
        cache: PathBuf,
        /// The file to write; one that is there is replaced. A .npy gets its rows' texts in a .csv of the same name
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// parquet, npy, safetensors or arrow [default: what the name of the file says]
        #[arg(long, value_name = "FORMAT", value_parser = parse::<ExportFormat>)]
        format: Option<ExportFormat>,
    },
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    match args.command {
        Command::Info { cache } => {
            let info = info(&cache)?;
            print(global, &info, || described(&info))?;
            Ok(Ended::Done)
        }
        Command::Verify { cache, dry_run } => verify(&cache, dry_run, global, terminal),
        Command::Compact { cache, prune, dry_run } => {
            let stats = compact(&cache, &CompactConfig { prune, dry_run }, terminal)?;
            print(global, &stats, || compacted(&stats))?;
            Ok(Ended::Done)
        }
        Command::Export { cache, out, format } => {
            let unknown = || {
                Error::new(Kind::Usage, "the name does not say which format to write")
                    .at(&out)
                    .help("end it with .parquet, .npy, .safetensors or .arrow, or add --format")
            };
            let format = format.or_else(|| ExportFormat::from_path(&out)).ok_or_else(unknown)?;
            let stats = export(&cache, &out, format)?;
            if stats.without_features > 0 {
                let n = stats.without_features;
                terminal
                    .warn(&format!("{n} image files have no features yet: run `headstart extract` again"));
            }
            print(global, &stats, || exported(&stats))?;
            Ok(Ended::Done)
        }
    }
}

fn described(info: &CacheInfo) -> String {
    let mut out = format!(
        "{} of {}, {} floats, {}\n\
         {} images in {} classes: {} (seed {}, {}), from {}\n\
         {} feature rows in {} parts, {:.1} MB, computed by {}\n",
        info.spec.layer,
        info.spec.backbone.name,
        info.spec.width,
        info.spec.backbone.title,
        info.samples,
        info.classes,
        splits(&info.splits),
        info.seed,
        info.fractions,
        info.root,
        info.rows,
        info.parts,
        info.bytes as f64 / 1e6,
        if info.providers.is_empty() { "nothing yet".into() } else { info.providers.join(", ") }
    );
    if info.orphaned > 0 {
        out.push_str(&format!("of them {} rows of images that are gone\n", info.orphaned));
    }
    if info.refused > 0 {
        out.push_str(&format!("{} files could not be used\n", info.refused));
    }
    let rows = info.variants.iter().map(|v| {
        let complete = if v.complete { "yes" } else { "no" };
        [v.variant.clone(), v.images.to_string(), v.train_images.to_string(), complete.into()]
    });
    out.push_str(&format!("\n{}", headed(["variant", "images", "train images", "complete"], rows)));
    out
}

fn compacted(stats: &CompactStats) -> String {
    let CompactStats { parts_before, parts, rows, pruned, duplicates, bytes_before, bytes } = stats;
    let verb = if bytes.is_some() { "now" } else { "would become" };
    let mut out = format!("{parts_before} parts, {verb} {parts}; {rows} feature rows\n");
    if *pruned > 0 {
        out.push_str(&format!("{pruned} rows of images that are gone: dropped\n"));
    }
    if *duplicates > 0 {
        out.push_str(&format!("{duplicates} rows stood there twice\n"));
    }
    if let Some(bytes) = bytes.filter(|bytes| bytes != bytes_before) {
        out.push_str(&format!("{} kB, before {}\n", bytes.div_ceil(1000), bytes_before.div_ceil(1000)));
    }
    out
}

fn exported(stats: &ExportStats) -> String {
    let line = |file: &PathBuf| format!("{}\n", file.display());
    let files: String = stats.files.iter().map(line).collect();
    format!("{files}{} rows, features of {} floats\n", stats.rows, stats.width)
}

fn verify(cache: &Path, dry_run: bool, global: &Global, terminal: &Terminal) -> Result<Ended> {
    let verified = store::verify(cache, dry_run, terminal)?;
    print(global, &verified, || {
        let mut out = format!("{} parts, {} damaged\n", verified.parts, verified.damaged.len());
        if !verified.damaged.is_empty() && !dry_run {
            out.push_str(
                "set aside in damaged/; run the same `headstart extract` again to compute them anew\n",
            );
        }
        out
    })?;
    Ok(if verified.damaged.is_empty() { Ended::Done } else { Ended::Bad })
}
