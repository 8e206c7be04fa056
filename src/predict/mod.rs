//! What a run says about image files it has never seen.

use crate::backbone::{Backbone, Device, Opening, known};
use crate::dataset::Refused;
use crate::error::{Error, Kind, Result};
use crate::head::Head;
use crate::image_io::{self, DECODE_VERSION};
use crate::metrics::{self, Temperature};
use crate::monitor::{Monitor, Unit};
use crate::run::{self, Reject};
use crate::setup::Chosen;
use crate::store::Spec;
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

/// Classifies image files, one answer each, in the order given. Files that cannot be used get a reason instead.
///
/// # Errors
/// [`Kind::Run`] when the run is missing or damaged or was made with other decoders, and those of opening its
/// backbone.
pub fn predict(config: &PredictConfig, monitor: &dyn Monitor) -> Result<Vec<Answer>> {
    let reject = config.reject.map(|alpha| Reject::read(&config.run, alpha)).transpose()?;
    let temperature = Temperature::applied(run::read_record(&config.run)?.temperature);
    let (head, classes, spec) = run::read_head(&config.run)?;
    check_measure(config, reject.as_ref(), &head)?;
    if spec.preprocessing.decode != DECODE_VERSION {
        let message =
            format!("its features were decoded by {}, this is {DECODE_VERSION}", spec.preprocessing.decode);
        return Err(Error::new(Kind::Run, message)
            .at(&config.run)
            .help("extract and train again with this version"));
    }
    let steps = spec.preprocessing.steps.checked().map_err(|e| e.at(&config.run))?;
    let total = config.images.len() as u64;
    let mut backbone = None;
    let mut task = None;
    let mut pixels = vec![0; steps.input_len()];
    let mut answers = Vec::new();
    for path in &config.images {
        let mut answer = Answer::without_answer(path);
        match image_io::read(path).and_then(|bytes| image_io::decode(&bytes)) {
            Err(reason) => answer.reason = Some(reason),
            Ok(image) => {
                let open = match &mut backbone {
                    Some(open) => open,
                    None => backbone.insert(open(&spec, head.width(), config, monitor)?),
                };
                task.get_or_insert_with(|| monitor.task("predicting", Some(total), Unit::Images));
                steps.planes(&image, &mut pixels);
                let features = open.embed(&pixels, 1)?;
                let probabilities = head.probabilities(&features).swap_remove(0);
                answer.predictions = rank(&classes, &metrics::tempered(&probabilities, temperature));
                answer.judged = reject.as_ref().map(|reject| judge(reject, &features));
            }
        }
        answers.push(answer);
        if let Some(task) = &task {
            task.advance(1);
        }
    }
    Ok(answers)
}

impl Answer {
    fn without_answer(path: &Path) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self { path, predictions: Vec::new(), judged: None, reason: None }
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
