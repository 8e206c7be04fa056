//! Several layers of one network in one pass over the images. Each gets a cache of its own in one folder.

use super::config::ExtractConfig;
use super::extraction::Extraction;
use super::{ExtractStats, kept, run, stats};
use crate::cache::{FeatureCache, Spec, check_layers_target, layers};
use crate::data::decode::limit_memory;
use crate::error::{Error, Kind, Result};
use crate::monitor::{Monitor, Silent};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Result of [`extract_layers`].
#[derive(Debug, Clone, Serialize)]
pub struct LayersStats {
    /// For each layer, in the order asked for.
    pub layers: Vec<LayerStats>,
}

/// What was done for one layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerStats {
    /// The cache of the layer.
    pub cache: PathBuf,
    /// What was done, as if the layer were alone; times are those of all layers together.
    #[serde(flatten)]
    pub stats: ExtractStats,
}

/// Whether `folder` holds the caches of layers that [`extract_layers`] wrote, and nothing is said of a single cache.
///
/// # Errors
/// [`Kind::Cache`] when the spec of a cache cannot be read.
pub fn is_layers_folder(folder: &Path) -> Result<bool> {
    Ok(!layers::layer_caches(folder)?.is_empty())
}

/// Extracts several layers as [`extract`](super::extract()) does one: every image is read once, and the network runs once for
/// all rows that some layer lacks.
///
/// The cache of the configuration is a folder with a cache for each layer. `names` are the layers, each as `layer` of the
/// backbone choice, which is not used; without any, they are those of the folder. A layer that is new takes the network, the
/// preprocessing and the split of the others.
///
/// # Errors
/// Those of [`extract`](super::extract()), [`Kind::Usage`] when two names mean the same layer, and [`Kind::Cache`] when the folder
/// holds something else, or layers of several networks.
pub fn extract_layers(
    config: &ExtractConfig,
    names: &[String],
    monitor: &dyn Monitor,
) -> Result<LayersStats> {
    let started = Instant::now();
    config.check()?;
    limit_memory(config.decode_memory)?;
    check_layers_target(&config.cache)?;
    let present = layers::layer_caches(&config.cache)?;
    let model = present.first().map(|(_, spec)| spec);
    let configs = of_layers(config, names, &present)?;
    let mut extractions: Vec<Extraction> = Vec::with_capacity(configs.len());
    for own in &configs {
        // What is kept from the caches is the same for all but the layer.
        let told: &dyn Monitor = if extractions.is_empty() { monitor } else { &Silent };
        extractions.push(Extraction::open(own, model, told)?);
    }
    require_one_network(config, &extractions)?;
    let results = run::run(&mut extractions, monitor)?;
    let of_layer = |(extraction, result): (&Extraction, _)| LayerStats {
        cache: extraction.config.cache.clone(),
        stats: stats(extraction, result, started),
    };
    Ok(LayersStats { layers: extractions.iter().zip(results).map(of_layer).collect() })
}

/// The configuration of each layer alone.
fn of_layers(
    config: &ExtractConfig,
    names: &[String],
    present: &[(PathBuf, Spec)],
) -> Result<Vec<ExtractConfig>> {
    let config = &with_split_of(config, present)?;
    let of_layer = |layer: String, cache: PathBuf| {
        let mut own = ExtractConfig { cache, ..config.clone() };
        (own.backbone.layer, own.backbone.pool) = (Some(layer), None);
        own
    };
    if names.is_empty() {
        return Ok(present.iter().map(|(path, spec)| of_layer(spec.layer.clone(), path.clone())).collect());
    }
    let mut configs: Vec<ExtractConfig> = Vec::new();
    for name in names {
        let mut asked = config.clone();
        asked.backbone.layer = Some(name.clone());
        let model = present.first().map(|(_, spec)| spec);
        let layer = kept::resolve(&asked, model, &Silent)?.layer;
        let known = present.iter().find(|(_, spec)| spec.layer == layer).map(|(path, _)| path.clone());
        let cache = known.unwrap_or_else(|| config.cache.join(layers::folder_name(&layer)));
        if configs.iter().any(|other| other.cache == cache) {
            return Err(Error::new(Kind::Usage, format!("`layer` {name} is given twice"))
                .help("give each layer once"));
        }
        configs.push(of_layer(layer, cache));
    }
    Ok(configs)
}

/// The configuration with the split and the groups of the caches that are there, where they are not chosen: layers are compared on
/// the same images.
fn with_split_of(config: &ExtractConfig, present: &[(PathBuf, Spec)]) -> Result<ExtractConfig> {
    let mut config = config.clone();
    for (path, _) in present {
        if let Some(samples) = FeatureCache::open(path)?.samples_if_any()? {
            config.layout = config.layout.or(samples.choice_for(&config.images));
            config.group_by = config.group_by.or(samples.group_by);
            config.split = config.split.or(Some(samples.fractions));
            config.seed = config.seed.or(Some(samples.seed));
            break;
        }
    }
    Ok(config)
}

fn require_one_network(config: &ExtractConfig, extractions: &[Extraction]) -> Result<()> {
    let same = |extraction: &&Extraction| {
        let (one, first) = (&extraction.chosen, &extractions[0].chosen);
        one.graph_sha256 == first.graph_sha256 && one.preprocessing == first.preprocessing
    };
    match extractions.iter().find(|extraction| !same(extraction)) {
        None => Ok(()),
        Some(other) => {
            let message = format!(
                "its layers {} and {} are of different networks or preprocessings",
                extractions[0].chosen.layer, other.chosen.layer
            );
            Err(Error::new(Kind::Cache, message)
                .at(&config.cache)
                .help("choose another folder for `cache`, or set `backbone` and `preprocess`"))
        }
    }
}
