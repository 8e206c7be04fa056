//! The steps of one extraction: open the cache, describe the images, open the network, compute what is missing. In which
//! order they come is `extract`'s to say.

use super::ExtractConfig;
use super::pipeline::{self, Outcome};
use super::plan::{Missing, Work, by_variant, missing, train_images_without_variants};
use crate::backbone::{Backbone, CPU_PROVIDER, Device, Opening, known};
use crate::dataset::{self, Refused, Split, number_and_names};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::image_io::DECODE_VERSION;
use crate::images::{Look, Memory, no_images, scan};
use crate::monitor::Monitor;
use crate::setup::{Chosen, choose};
use crate::store::{self, BackboneSpec, CacheWriter, FeatureCache, Key, PreprocessingSpec, Samples, Spec};
use crate::threads;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Images in a batch. Sessions of one thread each gain nothing from larger ones on a CPU; a GPU does.
const BATCH_ON_CPU: usize = 4;
const BATCH_ON_DEVICE: usize = 64;

/// The data set described anew, and what its features still lack.
pub(super) struct Described {
    pub samples: Arc<Samples>,
    pub refused: Vec<Refused>,
    pub work: Vec<Work>,
    pub rows: usize,
}

/// What the steps of one `extract` share.
pub(super) struct Run<'a> {
    /// What was asked for.
    pub config: &'a ExtractConfig,
    monitor: &'a dyn Monitor,
    /// The network.
    pub chosen: Chosen,
    /// What is known from before.
    pub memory: Memory,
    /// The cache, once it is there to be written to.
    pub writer: Option<CacheWriter>,
    /// What was missing at the first look, by variant.
    pub missing: Vec<Missing>,
    /// Whether the images were not described yet.
    is_first_look: bool,
    /// What stands in the cache as the description of the data set.
    written: Option<(Arc<Samples>, Vec<Refused>)>,
}

impl<'a> Run<'a> {
    /// Settles the network and opens the cache where there is one.
    pub fn open(config: &'a ExtractConfig, monitor: &'a dyn Monitor) -> Result<Self> {
        let chosen = choose(&config.backbone)?;
        let mut run = Self {
            config,
            monitor,
            chosen,
            memory: Memory::default(),
            writer: None,
            missing: Vec::new(),
            is_first_look: true,
            written: None,
        };
        run.open_existing()?;
        Ok(run)
    }

    /// Takes the lock of a cache that is there and remembers what it says; a dry run only reads.
    fn open_existing(&mut self) -> Result<()> {
        let cache = &self.config.cache;
        let Some(spec) = Spec::read(cache)? else { return store::check_target(cache) };
        let wanted = self.spec(spec.width, None);
        spec.require(&wanted, cache)?;
        if !self.config.dry_run {
            self.writer = Some(CacheWriter::open_or_create(cache, &wanted)?);
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
        // A kill before the first description leaves a cache without one, but then it has no parts either.
        let store = FeatureCache::open(cache)?;
        let samples = store.samples_if_any()?;
        if samples.is_none()
            && (self.config.seed.is_none() || self.config.split.is_none())
            && !store.parts()?.is_empty()
        {
            self.monitor.warn(
                "samples.parquet is gone, and the split with it: unless --seed and --split are given, images are \
                 assigned anew with seed 0 and 70/5/25",
            );
        }
        self.memory = Memory::new(samples, refused.clone());
        self.written = self.memory.samples.clone().map(|samples| (samples, refused));
        Ok(())
    }

    /// Has the cache describe the data set as it is now, if it does not yet.
    pub fn write_description(&mut self, now: &Described) -> Result<()> {
        let is_written = |(samples, refused): &(Arc<Samples>, Vec<Refused>)| {
            *samples == now.samples && *refused == now.refused
        };
        if !self.written.as_ref().is_some_and(is_written) {
            self.writer()?.describe(&now.samples, &now.refused)?;
            self.written = Some((now.samples.clone(), now.refused.clone()));
        }
        Ok(())
    }

    /// The cache for writing.
    pub fn writer(&mut self) -> Result<&mut CacheWriter> {
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
                graph_sha256: self.chosen.sha256,
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
    pub fn describe(&mut self) -> Result<Described> {
        let config = self.config;
        let before = self.memory.samples.as_ref();
        let fractions = config.split.or(before.map(|b| b.fractions)).unwrap_or_default();
        let seed = config.seed.or(before.map(|b| b.seed)).unwrap_or(0);
        let found = scan(&config.images, &self.memory, Look::Header, self.is_first_look, self.monitor)?;
        let ([files, _], conflicts) = dataset::refuse_conflicts(found.files);
        let mut refused = found.refused;
        refused.extend(conflicts);
        refused.sort();
        if files.is_empty() {
            return Err(no_images(&config.images, &refused));
        }
        let rows = dataset::assign_splits(files, seed, fractions);
        let keys = match &self.writer {
            Some(writer) => writer.cache().keys()?,
            None if Spec::read(&config.cache)?.is_some() => FeatureCache::open(&config.cache)?.keys()?,
            None => HashSet::new(),
        };
        let samples = Arc::new(Samples { rows, root: found.root, seed, fractions });
        let work = missing(&samples.rows, &config.augment, config.augment_splits, &keys);
        let rows = count_rows(&samples, &keys);
        if self.is_first_look {
            self.tell(&samples, train_images_without_variants(&samples.rows, &keys, &work));
            self.missing = by_variant(&work, &keys);
        }
        self.memory.samples = Some(samples.clone());
        self.is_first_look = false;
        Ok(Described { samples, refused, work, rows })
    }

    /// Says what is new about the data set, and what it lacks for training.
    fn tell(&self, now: &Samples, lacking: usize) {
        if let Some(before) = &self.memory.samples {
            if before.root != now.root {
                self.monitor.note(&format!("the images were in {} before", before.root.display()));
            }
            let changes = dataset::changes(&before.rows, &now.rows);
            if changes != dataset::Changes::default() {
                let kept =
                    if changes.removed > 0 { "; the features of what was removed are kept" } else { "" };
                self.monitor.note(&format!("since the last extract: {changes}{kept}"));
            }
        }
        for split in [Split::Validation, Split::Test] {
            if let Some(note) = split_note(now, split) {
                self.monitor.note(&note);
            }
        }
        if lacking > 0 {
            self.monitor.note(&format!(
                "{lacking} train images lack variants that others have; the same --augment as before computes them"
            ));
        }
    }

    /// Opens the backbone for so many missing rows, puts it to the known-answer test and, where there is no cache yet,
    /// makes one; says whether another process has made and filled it meanwhile.
    pub fn open_backbone(&mut self, rows: usize) -> Result<(Vec<Box<dyn Backbone>>, bool)> {
        let config = self.config;
        let batch = config.batch.unwrap_or(BATCH_ON_CPU);
        let opening =
            Opening { device: config.device, threads: config.threads, sessions: rows.div_ceil(batch) };
        let mut sessions = self.chosen.open(opening, self.monitor)?;
        let backbone = sessions.first_mut().expect("a network opens in one session or more");
        let provider = backbone.provider().to_string();
        let noted = self.writer.as_ref().and_then(|writer| writer.cache().spec().known_answer.clone());
        let known = self.chosen.known_answer.clone().or(noted);
        let steps = self.chosen.preprocessing;
        let answer = known::answer(backbone.as_mut(), &steps)?;
        let reference = match &known {
            Some(known) => known.clone(),
            None if provider == CPU_PROVIDER => answer.clone(),
            None => {
                let on_cpu = Opening { device: Device::Cpu, sessions: 1, ..opening };
                known::answer(self.chosen.open(on_cpu, self.monitor)?.swap_remove(0).as_mut(), &steps)?
            }
        };
        known::check(&provider, &answer, &reference)?;
        let mut filled_meanwhile = false;
        if self.writer.is_none() {
            let spec = self.spec(backbone.width(), known.is_none().then_some(reference));
            let writer = CacheWriter::open_or_create(&config.cache, &spec)?;
            filled_meanwhile = writer.cache().samples_if_any()?.is_some();
            self.writer = Some(writer);
            if filled_meanwhile {
                self.remember()?;
            }
        }
        Ok((sessions, filled_meanwhile))
    }

    /// Computes and commits what is missing.
    pub fn compute(&mut self, described: &Described, sessions: &mut [Box<dyn Backbone>]) -> Result<Outcome> {
        let backbone = sessions.first().expect("a network opens in one session or more");
        let on_cpu = backbone.provider() == CPU_PROVIDER;
        let settings = pipeline::Settings {
            root: described.samples.root.clone(),
            preprocessing: self.chosen.preprocessing,
            batch: self.config.batch.unwrap_or(if on_cpu { BATCH_ON_CPU } else { BATCH_ON_DEVICE }),
            // They wait for the sessions most of the time: on a CPU too, more of them take no more time from the network.
            decoders: threads::number(self.config.threads),
            commit_every: self.config.commit_every,
            metadata: self.metadata(backbone.as_ref()),
        };
        let monitor = self.monitor;
        pipeline::run(&settings, &described.work, sessions, self.writer()?, monitor)
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

/// What a person should know about a held-out split: that it is empty, or that some classes have no image in it.
fn split_note(samples: &Samples, split: Split) -> Option<String> {
    let all = dataset::class_names(&samples.rows);
    let there = dataset::class_names(samples.rows.iter().filter(|row| row.split == split));
    let is_there = |name: &str| there.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
    let without: Vec<&str> = all.iter().map(String::as_str).filter(|name| !is_there(name)).collect();
    let help = "give more images or another --split, such as 60/15/25";
    match without.len() {
        0 => None,
        _ if there.is_empty() => {
            Some(format!("with {} the {split} split is empty; to train, {help}", samples.fractions))
        }
        _ => Some(format!("classes without a {split} image: {}; {help}", number_and_names(&without))),
    }
}

fn count_rows(samples: &Samples, keys: &HashSet<Key>) -> usize {
    let images: HashSet<Digest> = samples.rows.iter().map(|row| row.file.image_sha256).collect();
    keys.iter().filter(|key| images.contains(&key.image_sha256)).count()
}
