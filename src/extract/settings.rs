//! Settings of the pipeline.

use super::config::ExtractConfig;
use super::network::Network;
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

impl PipelineSettings {
    /// Settings for images below `root` that `network` embeds.
    pub fn new(
        config: &ExtractConfig,
        root: PathBuf,
        preprocessing: Preprocessing,
        network: &Network,
    ) -> Self {
        Self {
            root,
            preprocessing,
            batch: network.batch(),
            // Decoders mostly wait for the sessions, so that as many of them as cores do not slow the network down.
            decoders: network.decoders(),
            commit_every: config.commit_every,
            narrow: NarrowImages::default(),
            metadata: metadata(config, network),
        }
    }
}

/// The metadata of new parts.
fn metadata(config: &ExtractConfig, network: &Network) -> BTreeMap<String, String> {
    let backbone = network.backbone();
    let time = Some(config.time).filter(|time| *time > 0);
    let always = [
        ("headstart.device", config.device.to_string()),
        ("headstart.provider", backbone.provider().to_string()),
        ("headstart.runtime", backbone.runtime().to_string()),
        ("headstart.version", env!("CARGO_PKG_VERSION").to_string()),
    ];
    let entries = always.into_iter().chain(time.map(|time| ("headstart.time", time.to_string())));
    entries.map(|(key, value)| (key.to_string(), value)).collect()
}
