//! Settings of the pipeline.

use crate::data::narrow::NarrowImages;
use crate::data::preprocess::Preprocessing;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the pipeline.
pub(super) struct PipelineSettings {
    /// Folder of images.
    pub root: PathBuf,
    pub preprocessing: Preprocessing,
    /// Number of rows in a batch.
    pub batch: usize,
    /// Number of threads that decode.
    pub decoders: usize,
    /// Longest time that computed rows wait to be committed.
    pub commit_every: Duration,
    /// Where decoders add images that use a small part of their range.
    pub narrow: NarrowImages,
    /// Metadata of each part.
    pub metadata: BTreeMap<String, String>,
}
