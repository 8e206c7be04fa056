//! A share of the chunks of a plan, for batch systems that start the same command several times, each with a number.

use super::config::WorkerConfig;
use super::supervisor::{Supervisor, check_interrupted};
use crate::cache::plan::{PlanHeader, Receipt, STAGING};
use crate::data::dataset::Refused;
use crate::data::scan::source_digest;
use crate::error::{Error, Kind, Result};
use crate::io::store::Store;
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

/// One of several shares, such as `2/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shard {
    /// Which one, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// Result of [`work_on_shard`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShardStats {
    /// Number of chunks of the share that had no receipt.
    pub chunks: usize,
    /// Number of their rows.
    pub rows: i64,
    /// Number of images and rows that were refused.
    pub refused: i64,
    /// The images that were refused, by path.
    pub refused_files: Vec<Refused>,
}

/// Works on every chunk of the plan that has no receipt and belongs to `shard`: the chunks whose number leaves the remainder
/// `number - 1` when it is divided by `of`. `images` are those of the plan, where this machine has them. The work is done in a child process, as [`supervise`](super::supervise()) does.
///
/// # Errors
/// Those of [`supervise`](super::supervise()); [`Kind::Input`] when the manifest or archive has changed since it was planned.
pub fn work_on_shard(
    config: &WorkerConfig,
    (shard, images): (Shard, &Path),
    start: &dyn Fn() -> Command,
    monitor: &dyn Monitor,
) -> Result<ShardStats> {
    let mut supervisor = Supervisor::new(config, start, monitor)?;
    let store = Store::open(&config.cache, STAGING)?;
    let header = PlanHeader::require(&store)?;
    header.check_source(images, source_digest(images)?)?;
    let mut chunks = header.chunks_without_receipt(&store)?;
    chunks.retain(|chunk| chunk % shard.of == shard.number - 1);
    let task = monitor.task("working on chunks", Some(chunks.len() as u64), Unit::Parts);
    let mut stats = ShardStats { chunks: chunks.len(), rows: 0, refused: 0, refused_files: Vec::new() };
    for chunk in chunks {
        check_interrupted(monitor, chunk)?;
        let receipt = supervisor.work_on(chunk)?;
        stats.rows += receipt.rows;
        stats.refused += receipt.refused;
        if receipt.refused > 0 {
            let receipts = Receipt::of_chunk(&store, &header, chunk)?;
            stats.refused_files.extend(receipts.iter().flat_map(Receipt::refused));
        }
        task.advance(1);
    }
    supervisor.end()?;
    stats.refused_files.sort();
    stats.refused_files.dedup();
    Ok(stats)
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(Error::new(Kind::Usage, format!("{text:?} is not a share of the chunks"))
                .help("give a number from 1 and how many there are, such as 2/8")),
        }
    }
}
