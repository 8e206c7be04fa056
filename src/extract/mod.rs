//! Stage 1: from a folder of images to a cache of features, computing only what is missing.

mod manifest;
mod pipeline;
mod plan;

pub use plan::AugmentSplits;

use crate::augment::Augmentation;
use crate::backbone::{Backbone, CPU_PROVIDER, Device, known};
use crate::dataset::{self, Fractions, Refused, Split};
use crate::error::{Error, Kind, Result};
use crate::image_io::DECODE_VERSION;
use crate::monitor::Monitor;
use crate::setup::{BackboneChoice, Chosen, choose};
use crate::store::{self, BackboneSpec, FeatureStore, Key, PreprocessingSpec, Samples, Spec, Writer};
use manifest::{Memory, scan};
use pipeline::Outcome;
use plan::{missing, wanted};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

/// What `extract` was asked for.
#[derive(Debug, Clone)]
pub struct ExtractConfig {
    /// `IMAGES/<class>/<file>`.
    pub images: PathBuf,
    /// The cache to make or to complete.
    pub cache: PathBuf,
    /// The network, layer and preprocessing.
    pub backbone: BackboneChoice,
    /// Variants to add to the images as they are.
    pub augment: Vec<Augmentation>,
    /// Which splits get variants.
    pub augment_splits: AugmentSplits,
    /// Shares of the split; `None` keeps the cache's, or the default.
    pub split: Option<Fractions>,
    /// Seed of the split; `None` keeps the cache's, or zero.
    pub seed: Option<u64>,
    /// Where to run.
    pub device: Device,
    /// Images in a batch; `None` chooses by device.
    pub batch: Option<usize>,
    /// Threads; zero takes all cores.
    pub threads: usize,
    /// Only say what would be computed.
    pub dry_run: bool,
    /// The time to note in new parts, in seconds since 1970.
    pub time: u64,
}

/// What `extract` did.
#[derive(Debug, Clone, Serialize)]
pub struct ExtractStats {
    /// The network, by name or path, and what it is.
    pub backbone: String,
    /// The layer that was embedded.
    pub layer: String,
    /// Image files in the data set.
    pub samples: usize,
    /// Of them in train, validation and test.
    pub splits: BTreeMap<&'static str, usize>,
    /// Classes.
    pub classes: usize,
    /// Feature rows that match the samples after the run.
    pub rows: usize,
    /// Rows computed in this run; in a dry run, rows that would be.
    pub computed: usize,
    /// Files that cannot be used.
    pub refused: Vec<Refused>,
    /// Wall time of the whole run.
    pub seconds: f64,
    /// Rows a second, from the first file opened to the last part on disk; `None` when nothing was computed.
    pub images_per_second: Option<f64>,
    /// The provider that ran; `None` when nothing was computed.
    pub provider: Option<String>,
    /// Whether this was a dry run.
    pub dry_run: bool,
}

/// The data set described anew, and what its features still lack.
struct Described {
    samples: Samples,
    refused: Vec<Refused>,
    work: Vec<plan::Work>,
    rows: usize,
}

/// Describes the images, then computes and stores the feature rows that are missing.
///
/// # Errors
/// [`Kind::Input`] when there are no usable images, [`Kind::Cache`] when the cache holds other features or is damaged,
/// and those of opening the backbone. Rows that were committed before a failure stay.
pub fn extract(config: &ExtractConfig, monitor: &dyn Monitor) -> Result<ExtractStats> {
    let started = Instant::now();
    check(config)?;
    let chosen = choose(&config.backbone)?;
    let mut run = Run { config, monitor, chosen, memory: Memory::default(), writer: None };
    run.open_existing()?;
    let (mut computed, mut busy, mut provider) = (0, 0.0, None);
    let mut backbone: Option<Box<dyn Backbone>> = None;
    let described = loop {
        let described = run.describe()?;
        if config.dry_run {
            computed = described.work.iter().map(|work| work.variants.len()).sum();
            break described;
        }
        let Some(writer) = &run.writer else {
            // A new cache: the network first, so that nothing is written when it cannot be opened; then look again,
            // since another process may have made and filled the cache meanwhile.
            backbone = Some(run.open_backbone()?);
            continue;
        };
        writer.describe(&described.samples, &described.refused)?;
        if described.work.is_empty() {
            break described;
        }
        let backbone = match &mut backbone {
            Some(open) => open,
            None => backbone.insert(run.open_backbone()?),
        };
        provider = Some(backbone.provider().to_string());
        let done = run.compute(&described, backbone.as_mut())?;
        computed += done.computed;
        busy += done.seconds;
        run.memory.refuse(done.refused);
    };
    Ok(stats(&run, described, computed, busy, provider, started))
}

fn check(config: &ExtractConfig) -> Result<()> {
    if !config.batch.is_none_or(|batch| (1..=4096).contains(&batch)) {
        return Err(Error::new(Kind::Usage, "--batch must be from 1 to 4096"));
    }
    if config.threads > 1024 {
        return Err(Error::new(Kind::Usage, "--threads must be at most 1024"));
    }
    Ok(())
}

fn stats(
    run: &Run,
    described: Described,
    computed: usize,
    busy: f64,
    provider: Option<String>,
    started: Instant,
) -> ExtractStats {
    let rows = &described.samples.rows;
    let count = |split| rows.iter().filter(|row| row.split == split).count();
    ExtractStats {
        backbone: format!("{}, {}", run.chosen.name, run.chosen.article_and_title()),
        layer: run.chosen.layer.clone(),
        samples: rows.len(),
        splits: Split::ALL.map(|split| (split.name(), count(split))).into(),
        classes: dataset::class_names(rows).len(),
        rows: described.rows,
        computed,
        refused: described.refused,
        seconds: started.elapsed().as_secs_f64(),
        images_per_second: (busy > 0.0).then(|| computed as f64 / busy),
        provider,
        dry_run: run.config.dry_run,
    }
}

struct Run<'a> {
    config: &'a ExtractConfig,
    monitor: &'a dyn Monitor,
    chosen: Chosen,
    memory: Memory,
    writer: Option<Writer>,
}

impl Run<'_> {
    /// Takes the lock of a cache that is there and remembers what it says; a dry run only reads.
    fn open_existing(&mut self) -> Result<()> {
        let cache = &self.config.cache;
        let Some(spec) = Spec::read(cache)? else { return Ok(()) };
        let wanted = self.spec(spec.width, None);
        spec.require(&wanted, cache)?;
        if !self.config.dry_run {
            self.writer = Some(Writer::open_or_create(cache, &wanted)?);
        }
        self.remember()
    }

    /// Reads what the cache says of earlier runs.
    fn remember(&mut self) -> Result<()> {
        let cache = &self.config.cache;
        let refused = store::read_refused(cache).unwrap_or_else(|e| {
            self.monitor.warn(&format!("starting without the memory of refused files: {}", e.with_causes()));
            Vec::new()
        });
        // A kill before the first description leaves a cache without one.
        self.memory = Memory::new(FeatureStore::open(cache)?.samples_if_any()?, refused);
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut Writer> {
        self.writer
            .as_mut()
            .ok_or_else(|| Error::new(Kind::Cache, "not open for writing").at(&self.config.cache))
    }

    fn spec(&self, width: usize, known_answer: Option<Vec<f32>>) -> Spec {
        Spec {
            schema: store::spec::SCHEMA.into(),
            backbone: BackboneSpec {
                name: self.chosen.name.clone(),
                title: self.chosen.title.clone(),
                graph_sha256: self.chosen.sha256.clone(),
            },
            layer: self.chosen.layer.clone(),
            width,
            preprocessing: PreprocessingSpec {
                decode: DECODE_VERSION.into(),
                steps: self.chosen.preprocessing,
            },
            known_answer,
        }
    }

    /// Looks at the images again: files, refusals, splits, and what is missing.
    fn describe(&mut self) -> Result<Described> {
        let config = self.config;
        let before = self.memory.samples.as_ref();
        let fractions = config.split.or(before.map(|b| b.fractions)).unwrap_or_default();
        let seed = config.seed.or(before.map(|b| b.seed)).unwrap_or(0);
        let found = scan(&config.images, &self.memory, self.monitor)?;
        let (files, conflicts) = dataset::refuse_conflicts(found.files);
        let mut refused = found.refused;
        refused.extend(conflicts);
        refused.sort();
        if files.is_empty() {
            return Err(manifest::no_images(&config.images, &refused));
        }
        let rows = dataset::assign_splits(files, seed, fractions);
        if let Some(before) = before {
            if before.root != found.root {
                self.monitor.note(&format!("the images were in {} before", before.root.display()));
            }
            let changes = dataset::changes(&before.rows, &rows);
            if changes != dataset::Changes::default() {
                self.monitor.note(&format!("the images since the last description: {changes}"));
            }
        }
        let keys = match &self.writer {
            Some(writer) => writer.store().keys()?,
            None if Spec::read(&config.cache)?.is_some() => FeatureStore::open(&config.cache)?.keys()?,
            None => HashSet::new(),
        };
        let samples = Samples { rows, root: found.root, seed, fractions };
        let work = missing(wanted(&samples.rows, &config.augment, config.augment_splits), &keys);
        let rows = count_rows(&samples, &keys);
        let lacking = plan::train_images_without_variants(&samples.rows, &keys, &work);
        if lacking > 0 {
            self.monitor.note(&format!(
                "{lacking} train images lack variants that others have; the same --augment as before computes them"
            ));
        }
        self.memory.samples = Some(samples.clone());
        Ok(Described { samples, refused, work, rows })
    }

    /// Opens the backbone, puts it to the known-answer test and, where there is no cache yet, makes one.
    fn open_backbone(&mut self) -> Result<Box<dyn Backbone>> {
        let config = self.config;
        let mut backbone = self.chosen.open(config.device, config.threads, self.monitor)?;
        let provider = backbone.provider().to_string();
        let noted = self.writer.as_ref().and_then(|writer| writer.store().spec().known_answer.clone());
        let known = self.chosen.known_answer.clone().or(noted);
        let steps = self.chosen.preprocessing;
        let answer = known::answer(backbone.as_mut(), &steps)?;
        let reference = match &known {
            Some(known) => known.clone(),
            None if provider == CPU_PROVIDER => answer.clone(),
            None => {
                let mut cpu = self.chosen.open(Device::Cpu, config.threads, self.monitor)?;
                known::answer(cpu.as_mut(), &steps)?
            }
        };
        known::check(&provider, &answer, &reference)?;
        if self.writer.is_none() {
            let spec = self.spec(backbone.width(), known.is_none().then_some(reference));
            self.writer = Some(Writer::open_or_create(&config.cache, &spec)?);
            self.remember()?;
        }
        Ok(backbone)
    }

    fn compute(&mut self, described: &Described, backbone: &mut dyn Backbone) -> Result<Outcome> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let on_cpu = backbone.provider() == CPU_PROVIDER;
        let threads = if self.config.threads == 0 { cores } else { self.config.threads };
        let settings = pipeline::Settings {
            root: described.samples.root.clone(),
            preprocessing: self.chosen.preprocessing,
            batch: self.config.batch.unwrap_or(if on_cpu { 8 } else { 64 }),
            // On a CPU the network needs nearly all of it: one decoder for each eight threads keeps up.
            decoders: if on_cpu { threads.div_ceil(8) } else { threads },
            metadata: self.metadata(backbone),
        };
        let monitor = self.monitor;
        pipeline::run(&settings, &described.work, backbone, self.writer()?, monitor)
    }

    /// What stands in each part beside the rows.
    fn metadata(&self, backbone: &dyn Backbone) -> BTreeMap<String, String> {
        [
            ("headstart.device", self.config.device.to_string()),
            ("headstart.provider", backbone.provider().to_string()),
            ("headstart.runtime", backbone.runtime().to_string()),
            ("headstart.version", env!("CARGO_PKG_VERSION").to_string()),
            ("headstart.time", self.config.time.to_string()),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into()
    }
}

fn count_rows(samples: &Samples, keys: &HashSet<Key>) -> usize {
    let images: HashSet<&str> = samples.rows.iter().map(|row| row.file.image_sha256.as_str()).collect();
    keys.iter().filter(|key| images.contains(key.image_sha256.as_str())).count()
}
