//! `headstart cache`

use super::{Ended, Global, print, progress::Terminal};
use crate::error::Result;
use crate::store::{self, FeatureStore};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Look into a cache, or check it.
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
}

#[derive(Serialize)]
struct Info {
    spec: crate::store::Spec,
    samples: usize,
    parts: usize,
    rows: usize,
    bytes: u64,
}

pub(super) fn run(args: Args, global: &Global, terminal: &Terminal) -> Result<Ended> {
    match args.command {
        Command::Info { cache } => info(&FeatureStore::open(&cache)?, global),
        Command::Verify { cache, dry_run } => verify(&cache, dry_run, global, terminal),
    }
}

fn info(store: &FeatureStore, global: &Global) -> Result<Ended> {
    let parts = store.parts()?;
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
    let info = Info {
        spec: store.spec().clone(),
        samples: store.samples()?.rows.len(),
        rows: store.keys()?.len(),
        bytes: parts.iter().map(|part| size(&part.path)).sum(),
        parts: parts.len(),
    };
    print(global, &info, || {
        format!(
            "{} of {}, {} floats, {}\n{} images, {} feature rows in {} parts, {:.1} MB\n",
            info.spec.layer,
            info.spec.backbone.name,
            info.spec.width,
            info.spec.backbone.title,
            info.samples,
            info.rows,
            info.parts,
            info.bytes as f64 / 1e6
        )
    })?;
    Ok(Ended::Done)
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
