//! Builds the classifier of a run in memory, and checks that it answers as the run does.

use super::config::ExportConfig;
use super::metadata::{by_class, metadata};
use crate::backbone::graph::{
    ClassifierInput, ClassifierParts, DISTANCE, FEATURES, IS_KNOWN, LABEL_INDEX, PROBABILITIES, classifier,
};
use crate::backbone::known_answer::probe_image;
use crate::backbone::onnx_runtime::{ClassifierAnswers, ClassifierSession, InputValues, OnnxBackbone};
use crate::backbone::{BackboneSearch, Device, ResolvedBackbone, SessionOptions};
use crate::cache::Spec;
use crate::data::augment::Variant;
use crate::data::pixels::Pixels;
use crate::data::preprocess::{Preprocessing, ValueType, floats};
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::{ImagePrediction, Predictor, PredictorConfig, UNSURE};
use crate::metrics::Temperature;
use crate::monitor::Monitor;
use crate::run::{StoredRun, TrainedHead};
use std::path::Path;

/// The largest accepted difference of a probability.
const TOLERANCE: f64 = 1e-5;

/// How far the threshold of the distance is moved outwards: rounding must not turn away the image that defines it.
const MARGIN: f32 = 1e-5;

/// A classifier that was checked and not yet written.
#[derive(Debug)]
pub(super) struct BuiltClassifier {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// What the features are.
    pub spec: Spec,
    /// What the input takes.
    pub input: ClassifierInput,
    /// The largest distance of a known image, where it has the outputs of open-set rejection.
    pub threshold: Option<f32>,
    /// The batch size, when the backbone's file fixes it.
    pub batch: Option<usize>,
    /// Largest difference of a probability from the run's.
    pub difference: f64,
}

impl BuiltClassifier {
    /// Builds and checks the classifier of a run, whose input takes `input`.
    ///
    /// # Errors
    /// Those of [`export`](super::export).
    pub fn new(config: &ExportConfig, input: ClassifierInput, monitor: &dyn Monitor) -> Result<Self> {
        let run = &config.run;
        let stored = StoredRun::open_any(run)?;
        let TrainedHead { head, classes, spec } = stored.head()?;
        let reject = stored.rejection(config.reject, config.confidence)?;
        let steps = spec.preprocessing.steps.checked().map_err(|e| e.at(run))?;
        let images = [probe_image(), Variant::Flip.apply(&probe_image())];
        let expected = answers_of_run(config, &images, monitor)?;
        let search = BackboneSearch { models: &config.models, given: config.backbone.as_deref(), near: run };
        let resolved = spec.resolve_backbone(search)?;
        let library = resolved.install_missing(Device::Cpu, monitor)?.library.path;
        let model = resolved.read_model()?;
        let ranks = ranks(&library, &model, &resolved, &steps, monitor)?;
        let temperature = Temperature::effective(stored.record().temperature);
        let decider = stored.record().decider(run)?;
        let metadata = metadata(&stored, &spec, &classes, input, temperature, reject.as_ref(), &expected[0])?;
        let rejection =
            reject.as_ref().map(|rule| (rule.distance.quadratic_form(), rule.threshold * (1.0 + MARGIN)));
        let threshold = reject.as_ref().map(|rule| rule.threshold);
        let parts = ClassifierParts {
            layer: &spec.layer,
            ranks: &ranks,
            preprocessing: &steps,
            input,
            head: &head,
            temperature,
            is_multi_label: stored.record().multi_label.is_some(),
            decider: decider.as_ref(),
            rejection,
            metadata: &metadata,
        };
        let bytes = classifier(&model, &parts).map_err(|e| if e.path().is_none() { e.at(run) } else { e })?;
        let mut session =
            ClassifierSession::open(&library, &bytes, SessionOptions::new(Device::Cpu), monitor)?;
        let batch = session.batch();
        let answers = answers(&mut session, input, &steps, &images)?;
        let difference =
            compare(&answers, &expected, &classes, parts.is_multi_label).map_err(|e| e.at(run))?;
        Ok(Self { bytes, classes, spec, input, threshold, batch, difference })
    }

    /// The names of the outputs.
    pub fn outputs(&self) -> Vec<&'static str> {
        let more: &[&str] = if self.threshold.is_some() { &[DISTANCE, IS_KNOWN] } else { &[] };
        [&[LABEL_INDEX, PROBABILITIES, FEATURES], more].concat()
    }
}

/// What the run itself answers.
fn answers_of_run(
    config: &ExportConfig,
    images: &[Pixels],
    monitor: &dyn Monitor,
) -> Result<Vec<ImagePrediction>> {
    let predictor = PredictorConfig {
        device: Device::Cpu,
        models: config.models.clone(),
        backbone: config.backbone.clone(),
        reject: config.reject,
        confidence: config.confidence,
        neighbours: 0,
        ..PredictorConfig::new(&config.run)
    };
    Predictor::open(&predictor, monitor)?.predict_images(images)
}

/// Number of dimensions of each embedded layer, batch included.
fn ranks(
    library: &Path,
    model: &[u8],
    resolved: &ResolvedBackbone,
    steps: &Preprocessing,
    monitor: &dyn Monitor,
) -> Result<Vec<usize>> {
    let mut pixels = vec![0; steps.input_bytes()];
    steps.planes(&probe_image(), &mut pixels);
    let layers = [resolved.layer.as_str()];
    let output =
        OnnxBackbone::layer_values(library, model.to_vec(), &layers, steps, Device::Cpu, &pixels, monitor)?;
    Ok(output.layers.iter().map(|layer| layer.shape.len() + 1).collect())
}

/// What the classifier answers for `images`, which have one size, in one batch.
fn answers(
    session: &mut ClassifierSession,
    input: ClassifierInput,
    steps: &Preprocessing,
    images: &[Pixels],
) -> Result<Vec<ClassifierAnswers>> {
    // A batch of fixed size is filled up.
    let batch = session.batch().unwrap_or(images.len());
    let filled = |start: usize| (start..start + batch).map(|i| &images[i % images.len()]);
    let mut found = Vec::new();
    for start in (0..images.len()).step_by(batch) {
        let of_batch: Vec<&Pixels> = filled(start).collect();
        let (shape, values) = input_values(input, steps, &of_batch);
        let answers = session.run(shape, &values).map_err(|e| match batch {
            1 => e,
            _ => e.help("the network must take batches of any size, or say in its file which it takes"),
        })?;
        found.extend(rows(&answers, batch));
    }
    found.truncate(images.len());
    Ok(found)
}

/// The answers of a batch, image by image.
fn rows(answers: &ClassifierAnswers, batch: usize) -> Vec<ClassifierAnswers> {
    let (classes, width) = (answers.probabilities.len() / batch, answers.features.len() / batch);
    let row = |image: usize| ClassifierAnswers {
        label_index: vec![answers.label_index[image]],
        probabilities: answers.probabilities[image * classes..][..classes].to_vec(),
        features: answers.features[image * width..][..width].to_vec(),
        open_set: answers.open_set.as_ref().map(|all| vec![all[image]]),
    };
    (0..batch).map(row).collect()
}

/// The input for pictures of one size.
fn input_values(
    input: ClassifierInput,
    steps: &Preprocessing,
    images: &[&Pixels],
) -> ([usize; 4], InputValues) {
    let (n, size) = (images.len(), steps.size);
    match (input, steps.value_type()) {
        (ClassifierInput::Float, _) => {
            let values = images.iter().flat_map(|image| steps.tensor(image)).collect();
            ([n, 3, size, size], InputValues::Float32(values))
        }
        (ClassifierInput::Resized, ValueType::Uint8) => {
            let values = images.iter().flat_map(|image| steps.resized(image).data().to_vec()).collect();
            ([n, size, size, 3], InputValues::Uint8(values))
        }
        (ClassifierInput::Resized, _) => {
            let values = images.iter().flat_map(|image| channels_last(steps, image)).collect();
            ([n, size, size, 3], InputValues::Float32(values))
        }
        _ => {
            let values = images.iter().flat_map(|image| image.data().to_vec()).collect();
            ([n, images[0].height(), images[0].width(), 3], InputValues::Uint8(values))
        }
    }
}

/// A resized picture of floats, channels last.
fn channels_last(steps: &Preprocessing, image: &Pixels) -> Vec<f32> {
    let mut planes = vec![0; steps.input_bytes()];
    steps.planes(image, &mut planes);
    let (planes, positions) = (floats(&planes), steps.size * steps.size);
    (0..3 * positions).map(|i| planes[i % 3 * positions + i / 3]).collect()
}

/// Compares the answers of the classifier with those of the run. Returns the largest difference of a probability.
fn compare(
    found: &[ClassifierAnswers],
    expected: &[ImagePrediction],
    classes: &[String],
    is_multi_label: bool,
) -> Result<f64> {
    let mut largest = 0f64;
    for (found, expected) in found.iter().zip(expected) {
        for (&found, expected) in found.probabilities.iter().zip(by_class(expected, classes)) {
            let difference = (f64::from(found) - expected).abs();
            // NaN is the largest.
            largest = if difference <= largest { largest } else { difference };
        }
        let label = usize::try_from(found.label_index[0])
            .map_or(UNSURE, |class| classes.get(class).map_or("", String::as_str));
        let is_tie = expected
            .predictions
            .get(1)
            .is_some_and(|second| expected.predictions[0].probability - second.probability <= TOLERANCE);
        // The label does not depend on the distance.
        // Of several labels the index is that of the most probable one, and the answer may be none.
        let is_other = if is_multi_label {
            expected.predictions.first().is_none_or(|first| first.label != label)
        } else {
            Some(label) != expected.answer() && !expected.is_unknown()
        };
        if is_other && !is_tie {
            return Err(otherwise("the class of a fixed image is another one".into()));
        }
        compare_distances(found, expected)?;
    }
    if largest <= TOLERANCE {
        return Ok(largest);
    }
    Err(otherwise(format!("a probability differs by {largest:.1e}, more than {TOLERANCE:.0e}")))
}

fn compare_distances(found: &ClassifierAnswers, expected: &ImagePrediction) -> Result<()> {
    let Some((score, found)) = expected.open_set.as_ref().zip(found.open_set.as_ref()) else { return Ok(()) };
    let (distance, is_known) = found[0];
    let is_close = |tolerance: f32| (distance - score.score).abs() <= tolerance * score.score.max(1.0);
    if is_close(1e-4) && (is_known != score.unknown || is_close(0.0)) {
        return Ok(());
    }
    let [known, expected] = [is_known, !score.unknown].map(|known| if known { "known" } else { "unknown" });
    Err(otherwise(format!(
        "a fixed image is {known} at the distance {distance}, and {expected} at {} in the run",
        score.score
    )))
}

fn otherwise(why: String) -> Error {
    Error::new(Kind::Backbone, format!("the exported classifier answers otherwise than the run: {why}"))
        .help("nothing was written; try another `input`")
}
