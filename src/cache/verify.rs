//! Checks every part of a cache, and moves damaged ones out of the way.

use super::reader::FeatureCache;
use super::refused::read_refused;
use super::refused_rows::read_refused_rows;
use super::writer::CacheWriter;
use crate::error::{Kind, Result};
use crate::monitor::{Monitor, Unit};
use serde::Serialize;
use std::path::Path;

/// Result of [`verify`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VerifyStats {
    /// Number of parts that were checked.
    pub parts: usize,
    /// Paths of the damaged parts, after they were moved.
    pub damaged: Vec<String>,
}

/// Checks the digest and the content of every part of the cache at `root`, and moves damaged ones to `damaged/` unless
/// `dry_run`. Also reads `samples.parquet`, `refused.parquet` and
/// `refused-rows.parquet`. A warning reports each damaged part.
///
/// # Errors
/// [`Kind::Locked`] when another process writes, [`Kind::Io`] when a part cannot be read at all, [`Kind::Cache`] when
/// one of these files is damaged.
pub fn verify(root: &Path, dry_run: bool, monitor: &dyn Monitor) -> Result<VerifyStats> {
    let cache = FeatureCache::open(root)?;
    let writer = if dry_run { None } else { Some(CacheWriter::open_or_create(root, cache.spec())?) };
    let stats = cache.with_parts(|parts| {
        let task = monitor.task("verifying parts", Some(parts.len() as u64), Unit::Parts);
        let mut damaged = Vec::new();
        for part in parts {
            match part.rows(cache.spec().width) {
                Err(error) if error.kind() == Kind::Cache => {
                    monitor.warn(&error.with_causes());
                    let path = match &writer {
                        Some(writer) => writer.quarantine(part)?,
                        None => part.path.clone(),
                    };
                    damaged.push(path.display().to_string());
                }
                other => drop(other?),
            }
            task.advance(1);
        }
        Ok(VerifyStats { parts: parts.len(), damaged })
    })?;
    cache.samples()?;
    read_refused(root).map_err(|e| e.help("delete it: `extract` checks those files again"))?;
    read_refused_rows(root)?;
    Ok(stats)
}
