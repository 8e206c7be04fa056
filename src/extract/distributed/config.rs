//! Settings of planning, working and finishing.

use super::super::config::ExtractConfig;
use crate::backbone::Device;
use crate::backbone::registry::default_models;
use crate::cache::plan::MAX_CHUNK_ROWS;
use std::path::PathBuf;

/// Settings of [`plan`](super::plan()).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlanConfig {
    /// What is to be extracted.
    pub extract: ExtractConfig,
    /// Maximum number of rows in a chunk, from 1 to 4096. A chunk is what a worker loses when it is ended.
    pub chunk_rows: usize,
}

impl Default for PlanConfig {
    fn default() -> Self {
        Self { extract: ExtractConfig::default(), chunk_rows: MAX_CHUNK_ROWS }
    }
}

/// Settings of [`finish`](super::finish()).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FinishConfig {
    /// What was planned.
    pub plan: PlanConfig,
    /// Where the parts of features are read, the path of a folder or a URL, if the cache is a copy of it that has only their keys, as
    /// [`Access::CreateWithKeys`](crate::cache::Access::CreateWithKeys) makes it; `None` reads those of the cache.
    pub parts: Option<PathBuf>,
    /// Whether machines that give different bits for the same image may compute one cache.
    pub mixed_hardware: bool,
}

/// Settings of [`work`](super::work()).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// The cache that holds the plan: the path of its folder, or its URL.
    pub cache: PathBuf,
    /// The ONNX file of the network; `None` looks for it where it was when the cache was made, and in `models`.
    pub backbone: Option<PathBuf>,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// Device that runs the network.
    pub device: Device,
    /// Images in a batch, from 1 to 4096; `None` chooses by device.
    pub batch: Option<usize>,
    /// Number of threads, at most 1024; 0 uses all cores.
    pub threads: usize,
    /// Memory for decoding, in bytes, of all threads together; `None` takes half of what is free. A larger image is refused.
    pub decode_memory: Option<u64>,
    /// Time to record in receipts, in seconds since 1970; 0, the default, records none.
    pub time: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            cache: PathBuf::new(),
            backbone: None,
            models: default_models(),
            device: Device::Auto,
            batch: None,
            threads: 0,
            decode_memory: None,
            time: 0,
        }
    }
}

impl WorkerConfig {
    /// The same resources for an extraction.
    pub(super) fn extraction(&self) -> ExtractConfig {
        let Self { cache, device, batch, threads, decode_memory, time, .. } = self.clone();
        ExtractConfig { cache, device, batch, threads, decode_memory, time, ..ExtractConfig::default() }
    }
}
