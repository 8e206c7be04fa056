//! What an exported classifier says about itself: the metadata of its ONNX file.

use crate::backbone::graph::ClassifierInput;
use crate::backbone::known_answer::probe_image;
use crate::cache::Spec;
use crate::data::preprocess::{Preprocessing, ValueType};
use crate::error::Result;
use crate::evaluate::predict::ImagePrediction;
use crate::io::digest::sha256;
use crate::run::{RejectionRule, StoredRun};
use serde_json::json;

/// Version of the names, inputs and outputs of exported classifiers.
pub(super) const FORMAT: &str = "classifier-v1";
/// Version of the same for several labels an image: `probabilities` are those of each label on its own, and `headstart.thresholds`
/// holds the probability from which each is answered.
const MULTI_LABEL_FORMAT: &str = "multi-label-classifier-v1";

/// The metadata as pairs of key and value; all but words are JSON.
pub(super) fn metadata(
    stored: &StoredRun,
    spec: &Spec,
    classes: &[String],
    input: ClassifierInput,
    temperature: f64,
    reject: Option<&RejectionRule>,
    known: &ImagePrediction,
) -> Result<Vec<(&'static str, String)>> {
    let name = stored.path().file_name().unwrap_or(stored.path().as_os_str()).to_string_lossy();
    let run = json!({"name": name, "time": stored.record().time, "head_sha256": stored.head_sha256()?});
    let rule = reject
        .map(|rule| json!({"alpha": rule.alpha, "confidence": rule.confidence, "threshold": rule.threshold}));
    let steps = &spec.preprocessing.steps;
    let is_multi_label = stored.record().multi_label.is_some();
    let mut all = vec![
        ("headstart.format", if is_multi_label { MULTI_LABEL_FORMAT } else { FORMAT }.to_string()),
        ("headstart.version", env!("CARGO_PKG_VERSION").to_string()),
        ("headstart.run", run.to_string()),
        ("headstart.backbone", json!(spec.backbone).to_string()),
        ("headstart.layer", spec.layer.clone()),
        ("headstart.classes", json!(classes).to_string()),
        ("headstart.preprocessing", json!(spec.preprocessing).to_string()),
        ("headstart.input", input_text(input, steps)),
        ("headstart.temperature", json!(temperature).to_string()),
        ("headstart.known_answer", known_answer(known, classes).to_string()),
    ];
    all.extend(rule.map(|rule| ("headstart.reject", rule.to_string())));
    let decision = stored.record().decision.as_ref();
    all.extend(decision.map(|decision| ("headstart.decision", json!(decision).to_string())));
    let multi_label = stored.record().multi_label.as_ref();
    all.extend(multi_label.map(|labels| ("headstart.thresholds", json!(labels.thresholds).to_string())));
    Ok(all)
}

/// How a picture becomes the input, in words.
pub(super) fn input_text(input: ClassifierInput, steps: &Preprocessing) -> String {
    let upright = "RGB, upright (turned as its EXIF orientation says)";
    let size = steps.size;
    match input {
        ClassifierInput::Uint8 => {
            format!(
                "uint8 [batch, height, width, 3]: pictures of any size, all of a batch of one size, {upright}"
            )
        }
        ClassifierInput::Resized => {
            let kind = match steps.value_type() {
                ValueType::Uint8 => "uint8",
                _ => "float32 from 0 to 255",
            };
            format!("{kind} [batch, {size}, {size}, 3]: pictures, {upright}, {}", geometry(steps))
        }
        ClassifierInput::Float => format!(
            "float32 [batch, 3, {size}, {size}]: pictures, {upright}, {}, then with values {}, channels first",
            geometry(steps),
            steps.normalization
        ),
    }
}

/// How a picture is cropped and resized, in words.
fn geometry(steps: &Preprocessing) -> String {
    let Preprocessing { size, resize, .. } = steps;
    let stretch = if steps.stretch { "values stretched to 0 to 255, " } else { "" };
    let crop = match steps.crop < 1.0 {
        true => format!("cropped to the central {} of each side, ", steps.crop),
        false => String::new(),
    };
    let resized = match (steps.shorter_side, steps.both_sides) {
        (Some(side), _) => format!(
            "resized so that the shorter side has {side} pixels, of which the central {size} x {size} are kept"
        ),
        (_, Some(side)) => {
            format!("resized to {side} x {side}, of which the central {size} x {size} are kept")
        }
        _ => format!("resized to {size} x {size}"),
    };
    format!("{stretch}{crop}{resized} (filter {resize}, as Pillow's where it has one)")
}

/// What the classifier answers for the fixed image of the known-answer test, which anyone can draw.
fn known_answer(known: &ImagePrediction, classes: &[String]) -> serde_json::Value {
    let probabilities = by_class(known, classes);
    let open_set = known.open_set.as_ref();
    json!({
        "image_sha256": sha256(probe_image().data()),
        "width": probe_image().width(),
        "height": probe_image().height(),
        "label": known.decided.as_ref().or(known.predictions.first().map(|first| &first.label)),
        "probabilities": probabilities,
        "distance": open_set.map(|score| score.score),
        "is_known": open_set.map(|score| !score.unknown),
    })
}

/// The probabilities in the order of the classes.
pub(super) fn by_class(prediction: &ImagePrediction, classes: &[String]) -> Vec<f64> {
    let of = |class: &String| {
        let found = prediction.predictions.iter().find(|one| one.label == *class);
        found.map_or(f64::NAN, |found| found.probability)
    };
    classes.iter().map(of).collect()
}
