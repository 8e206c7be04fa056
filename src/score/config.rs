//! What a caller asks of a scoring.

use crate::evaluate::predict::PredictorConfig;
use crate::extract::COMMIT_EVERY;
use std::path::PathBuf;
use std::time::Duration;

/// Configuration of [`score`](super::score).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScoreConfig {
    /// Image files, and folders of image files at any depth.
    pub images: Vec<PathBuf>,
    /// The file of answers; its extension is the format: parquet, csv or jsonl.
    pub out: PathBuf,
    /// The cache to keep features in, created where there is none. `None` keeps them beside `out` until that is finished.
    pub cache: Option<PathBuf>,
    /// The run and how to use it. No neighbours are looked for, so its `cache` is not read.
    pub predictor: PredictorConfig,
    /// Images in a batch, from 1 to 4096; `None` chooses by device.
    pub batch: Option<usize>,
    /// Number of threads, at most 1024; 0 uses all cores.
    pub threads: usize,
    /// Memory for decoding, in bytes, of all threads together; `None` takes half of what is free.
    pub decode_memory: Option<u64>,
    /// Longest time that computed rows stay in memory before they are written. A crash loses at most that much work.
    pub commit_every: Duration,
}

impl ScoreConfig {
    /// Classifies `images` with `predictor` into `out`, everything else by default.
    pub fn new(predictor: PredictorConfig, images: Vec<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self { images, out: out.into(), predictor, ..Self::default() }
    }
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            out: PathBuf::new(),
            cache: None,
            predictor: PredictorConfig::default(),
            batch: None,
            threads: 0,
            decode_memory: None,
            commit_every: COMMIT_EVERY,
        }
    }
}
