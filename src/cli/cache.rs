//! The subcommand `headstart cache`: its arguments, and its result as text.

use super::options::{Global, parse};
use super::output::{Outcome, print_result, print_result_beside};
use super::progress::Terminal;
use super::text::{splits, table_with_header};
use crate::cache::compact::{CompactConfig, CompactStats, compact};
use crate::cache::export::{ExportFormat, ExportStats, export};
use crate::cache::info::{CacheInfo, info};
use crate::cache::{self, Access, ImageCheck, VerifyConfig, VerifyStats, with_local_copy};
use crate::error::{Error, Kind, Result, counted};
use crate::monitor::Monitor;
use std::path::{Path, PathBuf};

/// Inspect, verify, compact, export or compare a cache
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  headstart cache verify cache/photos --dry-run")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what the features are, and how many there are
    #[command(after_help = "Example:\n  headstart cache info cache/photos")]
    Info {
        /// The cache, or its URL
        cache: PathBuf,
    },
    /// Rehash and decode every part; move damaged parts to CACHE/damaged and exit with 1
    ///
    /// A part is damaged if its bytes have changed, if it names another spec than the cache's, or if it holds other features
    /// than an earlier part for the same image and variant. Where the cache cannot be written, nothing is moved.
    #[command(
        after_help = "Examples:\n  headstart cache verify cache/photos --dry-run\n  headstart cache verify cache/photos --images photos"
    )]
    Verify {
        /// The cache, or its URL
        cache: PathBuf,
        /// Report damaged parts, and move nothing
        #[arg(long)]
        dry_run: bool,
        /// Also read the images in this folder, archive or manifest, and list those that are no longer what the cache describes
        #[arg(long, value_name = "IMAGES")]
        images: Option<PathBuf>,
    },
    /// Join small parts into large ones; readers see the old parts or the new ones, never both
    ///
    /// Parts of version 0.1.0, which many readers cannot open, are rewritten.
    #[command(after_help = "Example:\n  headstart cache compact cache/photos --prune --dry-run")]
    Compact {
        /// The cache, or its URL
        cache: PathBuf,
        /// Also drop the features of images that are gone
        #[arg(long)]
        prune: bool,
        /// Report what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print one SHA-256 of all feature rows, to compare caches
    ///
    /// It depends on images, variants and features alone: not on the parts, nor on when and where they were computed.
    #[command(after_help = "Example:\n  headstart cache digest cache/photos")]
    Digest {
        /// The cache, or its URL
        cache: PathBuf,
    },
    /// Write samples joined with features as one file: Parquet, npy, safetensors or Arrow IPC
    #[command(after_help = "Example:\n  headstart cache export cache/photos --out photos.parquet")]
    Export {
        /// The cache, or its URL
        cache: PathBuf,
        /// File to write; an earlier export is replaced, another file refused, a device or pipe such as /dev/stdout
        /// written through; beside a .npy a .csv of the same name holds the text columns
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// parquet, npy, safetensors or arrow [default: by the name of the file]
        #[arg(long, value_name = "FORMAT", value_parser = parse::<ExportFormat>)]
        format: Option<ExportFormat>,
    },
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    terminal.stop_on_signals();
    let (cache, access) = args.command.cache();
    let cache = cache.clone();
    with_local_copy(&cache, access, terminal, |cache| run_on(args.command, cache, global, terminal))
}

impl Command {
    /// The cache, and what is done with it.
    fn cache(&self) -> (&PathBuf, Access) {
        match self {
            Self::Info { cache } | Self::Digest { cache } | Self::Export { cache, .. } => {
                (cache, Access::Read)
            }
            Self::Verify { cache, dry_run, .. } | Self::Compact { cache, dry_run, .. } => {
                (cache, if *dry_run { Access::Read } else { Access::Change })
            }
        }
    }
}

/// Runs a command on the folder of its cache.
fn run_on(command: Command, cache: &Path, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    match command {
        Command::Info { .. } => {
            let info = info(cache)?;
            print_result(global, &info, || info_text(&info))?;
            Ok(Outcome::Done)
        }
        Command::Verify { dry_run, images, .. } => {
            verify(cache, &VerifyConfig { dry_run, images }, global, terminal)
        }
        Command::Compact { prune, dry_run, .. } => {
            let stats = compact(cache, &CompactConfig { prune, dry_run }, terminal)?;
            print_result(global, &stats, || compaction(&stats))?;
            Ok(Outcome::Done)
        }
        Command::Digest { .. } => {
            let found = cache::digest(cache, terminal)?;
            print_result(global, &found, || {
                format!(
                    "{}  {} of {}\n",
                    found.sha256,
                    counted(found.rows, "row"),
                    counted(found.width, "float")
                )
            })?;
            Ok(Outcome::Done)
        }
        Command::Export { out, format, .. } => {
            let unknown = || {
                Error::new(Kind::Usage, "the name of the file does not show its format")
                    .at(&out)
                    .help("end it with .parquet, .npy, .safetensors or .arrow, or add --format")
            };
            let format = format.or_else(|| ExportFormat::from_path(&out)).ok_or_else(unknown)?;
            let stats = export(cache, &out, format)?;
            if stats.without_features > 0 {
                let files = counted(stats.without_features, "image file");
                terminal.warn(&format!("{files} without features yet: run `headstart extract` again"));
            }
            print_result_beside(&out, global, &stats, || export_text(&stats))?;
            Ok(Outcome::Done)
        }
    }
}

fn info_text(info: &CacheInfo) -> String {
    let mut out = format!(
        "{} of {}, {} floats, {}\n\
         {} in {}: {} (seed {}, {}{}), from {}\n\
         {} in {}, {:.1} MB, computed by {}\n",
        info.spec.layer,
        info.spec.backbone.name,
        info.spec.width,
        info.spec.backbone.title,
        counted(info.samples, "image"),
        counted(info.classes, if info.several_labels { "label" } else { "class" }),
        splits(&info.splits),
        info.seed,
        info.fractions,
        if info.layout == "class" { "" } else { " of the train folders" },
        info.root,
        counted(info.rows, "feature row"),
        counted(info.parts, "part"),
        info.bytes as f64 / 1e6,
        if info.providers.is_empty() { "nothing yet".into() } else { info.providers.join(", ") }
    );
    if info.mixed_hardware {
        out.push_str("machines that give different bits for the same image computed them\n");
    }
    if info.unlabelled > 0 {
        out.push_str(&format!("{} without a label besides\n", counted(info.unlabelled, "image")));
    }
    if info.orphaned > 0 {
        out.push_str(&format!("rows of images that are gone: {}\n", info.orphaned));
    }
    if info.refused > 0 {
        out.push_str(&format!("files that could not be used: {}\n", info.refused));
    }
    let rows = info.variants.iter().map(|v| {
        let complete = if v.complete { "yes" } else { "no" };
        [v.variant.clone(), v.images.to_string(), v.train_images.to_string(), complete.into()]
    });
    out.push_str(&format!(
        "\n{}",
        table_with_header(["variant", "images", "train images", "complete"], rows)
    ));
    out
}

fn compaction(stats: &CompactStats) -> String {
    let CompactStats { parts_before, parts, rows, pruned, rewritten, duplicates, bytes_before, bytes } =
        stats;
    let verb = if bytes.is_some() { "now" } else { "would become" };
    let mut out =
        format!("{}, {verb} {parts}; {}\n", counted(*parts_before, "part"), counted(*rows, "feature row"));
    if *rewritten > 0 {
        let verb = if bytes.is_some() { "were" } else { "would be" };
        out.push_str(&format!(
            "parts of version 0.1.0 that {verb} rewritten for older readers: {rewritten}\n"
        ));
    }
    if *pruned > 0 {
        out.push_str(&format!("rows of images that are gone, dropped: {pruned}\n"));
    }
    if *duplicates > 0 {
        out.push_str(&format!("duplicate rows, dropped: {duplicates}\n"));
    }
    if let Some(bytes) = bytes.filter(|bytes| bytes != bytes_before) {
        out.push_str(&format!("{} kB, before {}\n", bytes.div_ceil(1000), bytes_before.div_ceil(1000)));
    }
    out
}

fn export_text(stats: &ExportStats) -> String {
    let line = |file: &PathBuf| format!("{}\n", file.display());
    let files: String = stats.files.iter().map(line).collect();
    format!("{files}{}, features of {}\n", counted(stats.rows, "row"), counted(stats.width, "float"))
}

fn verify(cache: &Path, config: &VerifyConfig, global: &Global, terminal: &Terminal) -> Result<Outcome> {
    let verified = cache::verify(cache, config, terminal)?;
    if let Some(images) = &verified.images {
        list_images(images, terminal);
    }
    print_result(global, &verified, || verified_text(&verified))?;
    let is_clean = verified.damaged.is_empty() && verified.images.as_ref().is_none_or(ImageCheck::is_clean);
    Ok(if is_clean { Outcome::Done } else { Outcome::Damaged })
}

/// Names the images that are no longer what was described.
fn list_images(images: &ImageCheck, terminal: &Terminal) {
    let kinds =
        [("changed", &images.changed), ("missing", &images.missing), ("unreadable", &images.unreadable)];
    for (kind, paths) in kinds {
        paths.iter().for_each(|path| terminal.note(&format!("{kind}: {path}")));
    }
}

fn verified_text(verified: &VerifyStats) -> String {
    let mut out = format!("{}, {} damaged\n", counted(verified.parts, "part"), verified.damaged.len());
    if verified.moved {
        out.push_str("moved to damaged/; run the same `headstart extract` again to compute them anew\n");
    }
    if let Some(images) = &verified.images {
        out.push_str(&format!(
            "{} as described, {} changed, {} missing, {} unreadable\n",
            counted(images.unchanged, "image"),
            images.changed.len(),
            images.missing.len(),
            images.unreadable.len()
        ));
        if !images.is_clean() {
            out.push_str("run the same `headstart extract` again, with --rehash, to describe them anew\n");
        }
    }
    out
}
