//! Embeds image files that need not be a data set: their features go into a cache, without labels and splits. Only what
//! the cache lacks is computed.

use super::config::{COMMIT_EVERY, ExtractConfig};
use super::missing::ImageJob;
use super::network::{Network, WantedLayer};
use super::old_decoders;
use super::pipeline::{self, PipelineResult};
use super::run::interrupted;
use super::sink::{LayerOutput, LayerResult};
use super::timing::StageTimes;
use crate::backbone::{Device, ResolvedBackbone};
use crate::cache::{self, CacheWriter, Key, Spec};
use crate::data::augment::Variant;
use crate::data::dataset::{Reason, Refused};
use crate::data::decode::{DECODE_VERSION, is_known_version, limit_memory};
use crate::error::{Error, Kind, Result};
use crate::io::digest::Digest;
use crate::monitor::Monitor;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of [`embed_images`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbedConfig {
    /// The cache to create or to complete.
    pub cache: PathBuf,
    /// Device that runs the network.
    pub device: Device,
    /// Images in a batch, from 1 to 4096; `None` chooses by device.
    pub batch: Option<usize>,
    /// Number of threads, at most 1024; 0 uses all cores.
    pub threads: usize,
    /// Memory for decoding, in bytes, of all threads together; `None` takes half of what is free.
    pub decode_memory: Option<u64>,
    /// Longest time that computed rows stay in memory before they are written. A crash loses at most that much work.
    pub commit_every: Duration,
}

impl Default for EmbedConfig {
    fn default() -> Self {
        Self {
            cache: PathBuf::new(),
            device: Device::Auto,
            batch: None,
            threads: 0,
            decode_memory: None,
            commit_every: COMMIT_EVERY,
        }
    }
}

impl EmbedConfig {
    /// Embeds into `cache`, everything else by default.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), ..Self::default() }
    }

    fn extraction(&self) -> ExtractConfig {
        let Self { cache, device, batch, threads, decode_memory, commit_every } = self.clone();
        ExtractConfig {
            cache,
            device,
            batch,
            threads,
            decode_memory,
            commit_every,
            ..ExtractConfig::default()
        }
    }
}

/// An image file whose features are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageToEmbed {
    /// Path of the file.
    pub path: String,
    /// SHA-256 of the bytes expected there.
    pub image_sha256: Digest,
}

/// Result of [`embed_images`].
#[derive(Debug)]
#[non_exhaustive]
pub struct EmbeddedImages {
    /// The cache with the features, still locked; `None` where there was none to begin with and nothing to embed.
    pub writer: Option<CacheWriter>,
    /// Number of rows that this call computed.
    pub computed: usize,
    /// Why an image has no features, by its digest.
    pub refused: HashMap<Digest, Reason>,
    /// The execution provider that ran the network; `None` if no rows were computed.
    pub provider: Option<String>,
    /// Time spent in the stages of the pipeline; `None` if no rows were computed.
    pub stages: Option<StageTimes>,
}

/// Computes the features of `images` that the cache lacks, with `backbone`, the network of `spec`. Rows are committed at
/// intervals, so a call after an interruption continues where the last one stopped.
///
/// # Errors
/// Those of [`extract`](super::extract), except that no image at all is no error.
pub fn embed_images(
    config: &EmbedConfig,
    spec: &Spec,
    backbone: &ResolvedBackbone,
    images: &[ImageToEmbed],
    monitor: &dyn Monitor,
) -> Result<EmbeddedImages> {
    let settings = config.extraction();
    settings.check_resources()?;
    limit_memory(config.decode_memory)?;
    let spec = for_present_decoder(spec, &config.cache)?;
    let opened = match Spec::read(&config.cache)? {
        Some(_) => Some(CacheWriter::open_or_create(&config.cache, &spec)?),
        None => None,
    };
    cache::check_target(&config.cache)?;
    let missing = Missing::of(images, opened.as_ref())?;
    let mut refused = missing.refused;
    if missing.jobs.is_empty() {
        return Ok(EmbeddedImages { writer: opened, computed: 0, refused, provider: None, stages: None });
    }
    old_decoders::check(&config.cache, &spec.preprocessing.decode, Path::new(""), &missing.jobs, &[])?;
    // Open the network before a new cache is created, so that a failure leaves nothing behind.
    let wanted = WantedLayer { chosen: backbone, stored_answer: spec.known_answer.clone() };
    let mut network = Network::open(&settings, vec![wanted], missing.jobs.len(), monitor)?;
    check_width(&network, &spec)?;
    let mut writer = opened.map_or_else(|| CacheWriter::open_or_create(&config.cache, &spec), Ok)?;
    let (done, of_layer) = run(&settings, backbone, &missing.jobs, &mut network, &mut writer, monitor)?;
    let of_path: HashMap<&str, Digest> =
        missing.jobs.iter().map(|job| (job.path.as_str(), job.image_sha256)).collect();
    let digest = |file: Refused| Some((*of_path.get(file.path.as_str())?, file.reason));
    refused.extend(done.refused.into_iter().chain(of_layer.refused).filter_map(digest));
    record_refused_rows(&writer, of_layer.refused_rows)?;
    let provider = Some(network.backbone().provider().to_string());
    let (stages, computed) = (Some(done.stages), of_layer.committed.len());
    Ok(EmbeddedImages { writer: Some(writer), computed, refused, provider, stages })
}

fn run(
    settings: &ExtractConfig,
    backbone: &ResolvedBackbone,
    jobs: &[ImageJob],
    network: &mut Network,
    writer: &mut CacheWriter,
    monitor: &dyn Monitor,
) -> Result<(PipelineResult, LayerResult)> {
    let pipeline = network.pipeline(settings, PathBuf::new(), backbone.preprocessing);
    let wanted = jobs.iter().flat_map(ImageJob::keys).collect();
    let output = LayerOutput { writer, columns: network.layers[0].columns.clone(), wanted };
    let mut done = pipeline::run(&pipeline, jobs, &mut network.sessions, vec![output], monitor)?;
    pipeline.narrow.report(monitor);
    let of_layer = done.layers.remove(0);
    let computed = of_layer.committed.len();
    match done.is_interrupted {
        true => Err(interrupted(computed, jobs.len() - computed)),
        false => Ok((done, of_layer)),
    }
}

/// The spec of what is computed now: of the present decoders, or those of the cache that is there, whose rows stay together.
fn for_present_decoder(spec: &Spec, cache: &Path) -> Result<Spec> {
    let stored = Spec::read(cache)?.map(|stored| stored.preprocessing.decode);
    let mut spec = spec.clone();
    spec.preprocessing.decode =
        stored.filter(|stored| is_known_version(stored)).unwrap_or(DECODE_VERSION.into());
    Ok(spec)
}

/// What a cache lacks.
struct Missing {
    /// One for each distinct image, in the order given.
    jobs: Vec<ImageJob>,
    /// Images that the network gave no numbers for in an earlier run.
    refused: HashMap<Digest, Reason>,
}

impl Missing {
    fn of(images: &[ImageToEmbed], cache: Option<&CacheWriter>) -> Result<Self> {
        let (stored, no_numbers) = match cache.map(CacheWriter::cache) {
            Some(cache) => (cache.keys()?, cache::read_refused_rows(cache.root())?),
            None => (HashSet::new(), BTreeSet::new()),
        };
        let (mut seen, mut jobs, mut refused) = (HashSet::new(), Vec::new(), HashMap::new());
        for ImageToEmbed { path, image_sha256 } in images {
            let key = Key { image_sha256: *image_sha256, variant: Variant::None };
            if stored.contains(&key) || !seen.insert(*image_sha256) {
                continue;
            }
            match no_numbers.contains(&key) {
                true => {
                    let reason = Reason::NonFiniteFeatures { variant: Variant::None.to_string() };
                    refused.insert(*image_sha256, reason);
                }
                false => jobs.push(ImageJob {
                    path: path.clone(),
                    image_sha256: *image_sha256,
                    variants: vec![Variant::None],
                }),
            }
        }
        Ok(Self { jobs, refused })
    }
}

/// Checks that the network gives features of the width of `spec`.
///
/// # Errors
/// [`Kind::Backbone`] when it does not.
pub(super) fn check_width(network: &Network, spec: &Spec) -> Result<()> {
    match network.backbone().width() {
        width if width == spec.width => Ok(()),
        width => {
            let message = format!("it gives {width} features, and {} are wanted", spec.width);
            Err(Error::new(Kind::Backbone, message)
                .at(&spec.backbone.name)
                .help("use the `backbone` of the run"))
        }
    }
}

fn record_refused_rows(writer: &CacheWriter, rows: Vec<Key>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut all = cache::read_refused_rows(writer.cache().root())?;
    all.extend(rows);
    writer.record_refused_rows(&all)
}
