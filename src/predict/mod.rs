//! What a run says about image files it has never seen, with the cached images that are most like them.

mod sheet;

use crate::backbone::{Backbone, Device, Opening, known};
use crate::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::head::Head;
use crate::image_io::{self, DECODE_VERSION};
use crate::metrics::{self, Temperature};
use crate::monitor::{Monitor, Unit};
use crate::neighbours::{self, Neighbour};
use crate::page::Thumbnail;
use crate::places::Places;
use crate::run::{self, Record, Reject};
use crate::setup::Chosen;
use crate::store::{FeatureCache, Samples, Spec};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `predict` was asked for.
#[derive(Debug, Clone)]
pub struct PredictConfig {
    /// The run.
    pub run: PathBuf,
    /// Image files.
    pub images: Vec<PathBuf>,
    /// Where to run the network.
    pub device: Device,
    /// Folder of built backbones.
    pub models: PathBuf,
    /// The share of known images that may be called unknown; `None` always answers.
    pub reject: Option<f64>,
    /// How many of the nearest cached images to look for; 0 leaves the cache alone.
    pub neighbours: usize,
    /// Where a page about the answers goes, if anywhere.
    pub page: Option<Places>,
}

/// The answer for one image.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// As given.
    pub path: String,
    /// All classes, most probable first; empty when the image cannot be used.
    pub predictions: Vec<Ranked>,
    /// Whether it is of none of the classes, where that was asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// The nearest images of the run's cache, nearest first; `None` where none were looked for or the cache is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<Vec<Neighbour>>,
    /// Why the image cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How an image lies to the images of the run.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Whether it lies farther from every class than the run's validation images tell that known ones do.
    pub unknown: bool,
    /// Its distance from the nearest class.
    pub score: f32,
    /// How large a share of known images lies as far; at most ALPHA for an unknown one.
    pub p_value: f64,
}

/// One class and its probability.
#[derive(Debug, Clone, Serialize)]
pub struct Ranked {
    /// The class.
    pub label: String,
    /// From 0 to 1, at the run's temperature where its validation images tell that from 1.
    pub probability: f64,
}

/// Classifies image files, one answer each, in the order given. Files that cannot be used get a reason instead. Where the
/// cache of the run cannot be read, a warning says so, and the answers come without neighbours.
///
/// # Errors
/// [`Kind::Run`] when the run is missing or damaged or was made with other decoders, and those of opening its
/// backbone. With a page, those of [`Places`] too.
pub fn predict(config: &PredictConfig, monitor: &dyn Monitor) -> Result<Vec<Answer>> {
    let record = run::read_record(&config.run)?;
    if let Some(places) = &config.page {
        places.check_beside(Path::new(&record.cache))?;
    }
    let mut seen = look(config, &record, monitor)?;
    let shelf = if config.neighbours > 0 { open_cache(&record, monitor) } else { None };
    if let Some((store, samples)) = &shelf {
        let used: Vec<&mut Seen> = seen.iter_mut().filter(|seen| seen.answer.reason.is_none()).collect();
        let features: Vec<Vec<f32>> = used.iter().map(|seen| seen.features.clone()).collect();
        match neighbours::nearest(store, samples, &features, config.neighbours) {
            Ok(found) => {
                used.into_iter().zip(found).for_each(|(seen, found)| seen.answer.neighbours = Some(found));
            }
            Err(error) => monitor.warn(&format!("without nearest images: {}", error.with_causes())),
        }
    }
    if let Some(places) = &config.page {
        let root = shelf.as_ref().map(|(_, samples)| samples.root.as_path());
        places.write(&sheet::made(config, &record, &seen, root))?;
    }
    Ok(seen.into_iter().map(|seen| seen.answer).collect())
}

/// An image file that was looked at.
struct Seen {
    answer: Answer,
    features: Vec<f32>,
    /// For the page, where there is to be one.
    thumbnail: Option<Thumbnail>,
}

/// The cache of the run, where it is still there and holds the same kind of features.
fn open_cache(record: &Record, monitor: &dyn Monitor) -> Option<(FeatureCache, Samples)> {
    let path = Path::new(&record.cache);
    let opened = FeatureCache::open(path).and_then(|store| {
        store.spec().require(&record.spec, path)?;
        let samples = store.samples()?;
        Ok((store, samples))
    });
    opened.map_err(|error| monitor.warn(&format!("without nearest images: {}", error.with_causes()))).ok()
}

fn look(config: &PredictConfig, record: &Record, monitor: &dyn Monitor) -> Result<Vec<Seen>> {
    let reject = config.reject.map(|alpha| Reject::read(&config.run, alpha)).transpose()?;
    let temperature = Temperature::applied(record.temperature);
    let (head, classes, spec) = run::read_head(&config.run)?;
    check_measure(config, reject.as_ref(), &head)?;
    check_decoder(config, &spec)?;
    let steps = spec.preprocessing.steps.checked().map_err(|e| e.at(&config.run))?;
    let total = config.images.len() as u64;
    let mut backbone = None;
    let mut task = None;
    let mut pixels = vec![0; steps.input_len()];
    let mut all = Vec::new();
    for path in &config.images {
        let mut seen = Seen { answer: Answer::without_answer(path), features: Vec::new(), thumbnail: None };
        match image_io::read(path).and_then(|bytes| image_io::decode(&bytes)) {
            Err(reason) => seen.answer.reason = Some(reason),
            Ok(image) => {
                let open = match &mut backbone {
                    Some(open) => open,
                    None => backbone.insert(open(&spec, head.width(), config, monitor)?),
                };
                task.get_or_insert_with(|| monitor.task("predicting", Some(total), Unit::Images));
                steps.planes(&image, &mut pixels);
                seen.features = open.embed(&pixels, 1)?;
                let probabilities = head.probabilities(&seen.features).swap_remove(0);
                seen.answer.predictions = rank(&classes, &metrics::tempered(&probabilities, temperature));
                seen.answer.judged = reject.as_ref().map(|reject| judge(reject, &seen.features));
                seen.thumbnail = config.page.as_ref().map(|_| Thumbnail::of(&image));
            }
        }
        all.push(seen);
        if let Some(task) = &task {
            task.advance(1);
        }
    }
    Ok(all)
}

fn check_decoder(config: &PredictConfig, spec: &Spec) -> Result<()> {
    let decoder = &spec.preprocessing.decode;
    if decoder == DECODE_VERSION {
        return Ok(());
    }
    Err(Error::new(Kind::Run, format!("its features were decoded by {decoder}, this is {DECODE_VERSION}"))
        .at(&config.run)
        .help("extract and train again with this version"))
}

impl Answer {
    fn without_answer(path: &Path) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self { path, predictions: Vec::new(), judged: None, neighbours: None, reason: None }
    }
}

/// Head and measure must be of the same features.
fn check_measure(config: &PredictConfig, reject: Option<&Reject>, head: &Head) -> Result<()> {
    match reject.map(|reject| reject.distance.width()) {
        Some(width) if width != head.width() => {
            let message = format!("its head takes {} features, its measure {width}", head.width());
            Err(Error::new(Kind::Run, message).at(&config.run).help("train again"))
        }
        _ => Ok(()),
    }
}

/// The backbone of the features, after the known-answer test.
fn open(
    spec: &Spec,
    width: usize,
    config: &PredictConfig,
    monitor: &dyn Monitor,
) -> Result<Box<dyn Backbone>> {
    let chosen = Chosen::of_spec(spec, &config.models)?;
    let opening = Opening { device: config.device, threads: 0, sessions: 1 };
    let mut backbone = chosen.open(opening, monitor)?.swap_remove(0);
    if backbone.width() != width {
        let message = format!("its head takes {width} features, the backbone gives {}", backbone.width());
        return Err(Error::new(Kind::Run, message).at(&config.run).help("train again"));
    }
    if let Some(known) = &chosen.known_answer {
        let answer = known::answer(backbone.as_mut(), &spec.preprocessing.steps)?;
        known::check(backbone.provider(), &answer, known)?;
    }
    Ok(backbone)
}

/// The answers that are refusals, as other stages tell them.
pub fn refused(answers: &[Answer]) -> Vec<Refused> {
    let refusal = |answer: &Answer| {
        let reason = answer.reason.clone()?;
        Some(Refused { path: answer.path.clone(), image_sha256: None, reason })
    };
    answers.iter().filter_map(refusal).collect()
}

fn judge(reject: &Reject, features: &[f32]) -> Judged {
    let score = reject.distance.of(features)[0];
    Judged { unknown: reject.is_unknown(score), score, p_value: reject.known.p_value(score) }
}

fn rank(classes: &[String], probabilities: &[f64]) -> Vec<Ranked> {
    let pairs = classes.iter().zip(probabilities);
    let mut ranked: Vec<Ranked> =
        pairs.map(|(label, &probability)| Ranked { label: label.clone(), probability }).collect();
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked
}
