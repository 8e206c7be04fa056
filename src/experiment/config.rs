//! What a caller asks of `experiment`.

use crate::backbone::Device;
use crate::backbone::registry::default_models;
use std::path::PathBuf;

/// Settings of `experiment`.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `file` | none | the file that describes the experiment, or the name of a built-in one |
/// | `images` | none | folder of images |
/// | `out` | none | folder of the results |
/// | `models` | [`default_models`] | folder of built backbones |
/// | `device` | auto | where to extract |
/// | `threads` | 0 | one thread per core |
/// | `time` | 0 | unknown |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExperimentConfig {
    /// The TOML file that describes the experiment, or the name of one of [`BUILT_IN`](super::BUILT_IN);
    /// `docs/experiments.md` explains its keys.
    pub file: PathBuf,
    /// Folder of images, `IMAGES/<class>/<file>`.
    pub images: PathBuf,
    /// Folder of caches, runs and results.
    pub out: PathBuf,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// Where to extract features.
    pub device: Device,
    /// Number of threads; 0 means one per core. No head depends on it.
    pub threads: usize,
    /// The time to record, in seconds since 1970; 0 if unknown.
    pub time: u64,
}

impl Default for ExperimentConfig {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            images: PathBuf::new(),
            out: PathBuf::new(),
            models: default_models(),
            device: Device::Auto,
            threads: 0,
            time: 0,
        }
    }
}
