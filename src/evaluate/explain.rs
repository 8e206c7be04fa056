//! Where in a picture the evidence for a class lies: class activation maps (Zhou et al. 2016, *Learning Deep Features for
//! Discriminative Localization*). The embedded layer is the mean of a map and the head is linear, so the logit is a sum over the
//! positions of that map, exactly and without gradients. A head with a hidden layer is linear in pieces: the map is that of the
//! piece that the picture is in, and sums to the logit as exactly.

use crate::backbone::graph::{network_summary, pooled_map};
use crate::backbone::known_answer::probe_image;
use crate::backbone::onnx_runtime::{LayerOutput, LayerReader};
use crate::backbone::{BackboneSearch, ResolvedBackbone};
use crate::data::dataset::which_classes;
use crate::data::pixels::Pixels;
use crate::data::preprocess::Preprocessing;
use crate::error::{Error, Kind, Result};
use crate::evaluate::predict::PredictorConfig;
use crate::head::Head;
use crate::monitor::Monitor;
use crate::run::{StoredRun, TrainedHead};
use serde::Serialize;

/// What each position of a picture adds to the logit of a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The class.
    pub label: String,
    /// Its logit: what the head gives before temperature and softmax.
    pub logit: f64,
    /// Its bias, which belongs to no position; with a hidden layer, that of the piece that the picture is in.
    pub bias: f64,
    /// Rows of the map.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// What each position adds, `[height, width]`; with the bias they sum to the logit.
    pub values: Vec<f64>,
    /// The part of the picture that the map covers: left, top, width and height, in pixels.
    pub area: [f64; 4],
}

/// A run opened for explaining its answers.
#[derive(Debug)]
pub struct Explainer {
    head: Head,
    classes: Vec<String>,
    backbone: ResolvedBackbone,
    reader: LayerReader,
}

/// What each position adds to a logit.
struct Parts {
    logit: f64,
    bias: f64,
    height: usize,
    width: usize,
    values: Vec<f64>,
}

/// The largest difference of a logit from the sum of its parts, as a share of the sum of their sizes.
const TOLERANCE: f64 = 1e-3;

impl Explainer {
    /// Opens the head of `stored` and its backbone, at the embedded layer and at the map whose mean that is, as `config` says.
    /// Installs what is missing with consent.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the layer is not the mean of a map; those of opening a run and a backbone.
    pub fn open(stored: &StoredRun, config: &PredictorConfig, monitor: &dyn Monitor) -> Result<Self> {
        let TrainedHead { head, classes, spec } = stored.head()?;
        spec.preprocessing.steps.checked().map_err(|e| e.at(stored.path()))?;
        let given = config.backbone.as_deref();
        let search = BackboneSearch { models: &config.models, given, near: stored.path() };
        let backbone = spec.resolve_backbone(search)?;
        let library = backbone.install_missing(config.device, monitor)?.library.path;
        let model = backbone.read_model()?;
        let steps = backbone.preprocessing;
        let refused = || refusal(&backbone).help(remedy(&backbone));
        let map = pooled_map(&model, &backbone.layer)?.ok_or_else(refused)?;
        let layers = [backbone.layer.as_str(), &map];
        let mut reader = LayerReader::open(&library, model, &layers, &steps, config.device, monitor)?;
        // A layer that cannot be explained is known before the first picture is.
        if parts(&mut reader, &steps, &head, &probe_image(), 0)?.is_none() {
            return Err(refused());
        }
        Ok(Self { head, classes, backbone, reader })
    }

    /// How the pixels of a file are read and enter the network.
    pub fn steps(&self) -> &Preprocessing {
        &self.backbone.preprocessing
    }

    /// Explains the logit of the class `label` for a picture.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the network fails or the layer is not the mean of the map; [`Kind::Run`] when the run has no such
    /// class.
    pub fn explain(&mut self, image: &Pixels, label: &str) -> Result<Explanation> {
        let class = self.classes.iter().position(|name| name == label);
        let class = class.ok_or_else(|| {
            let meant = which_classes(label, &self.classes);
            Error::new(Kind::Run, format!("the run has no class {label:?}")).help(meant)
        })?;
        let steps = self.backbone.preprocessing;
        let parts = parts(&mut self.reader, &steps, &self.head, image, class)?;
        let Parts { logit, bias, height, width, values } = parts.ok_or_else(|| refusal(&self.backbone))?;
        let area = steps.area(image.width(), image.height());
        Ok(Explanation { label: label.into(), logit, bias, height, width, values, area })
    }
}

/// Splits the logit of `class` by positions; `None` where the layer is not the mean of a map.
fn parts(
    reader: &mut LayerReader,
    steps: &Preprocessing,
    head: &Head,
    image: &Pixels,
    class: usize,
) -> Result<Option<Parts>> {
    let mut pixels = vec![0; steps.input_bytes()];
    steps.planes(image, &mut pixels);
    let outputs = reader.read(&pixels)?;
    let has_positions = |output: &&LayerOutput| matches!(output.shape[..], [_, h, w] if h * w > 1);
    // A layer that has positions is its own map.
    let layer = &outputs[0];
    let map = Some(layer).filter(has_positions).or(outputs.last().filter(has_positions));
    let Some(map) = map else { return Ok(None) };
    let [channels, height, width] = [map.shape[0], map.shape[1], map.shape[2]];
    let positions = height * width;
    let per_feature = layer.values.len() / channels.max(1);
    let features: Vec<f64> = layer.values.chunks_exact(per_feature.max(1)).map(mean).collect();
    if features.len() != head.width() {
        return Ok(None);
    }
    let (weight, bias) = head.linear_piece(&features, class);
    let mut values = vec![0.0; positions];
    for (plane, w) in map.values.chunks_exact(positions).zip(&weight) {
        for (value, &at) in values.iter_mut().zip(plane) {
            *value += w * f64::from(at) / positions as f64;
        }
    }
    let logit = bias + features.iter().zip(&weight).map(|(x, w)| x * w).sum::<f64>();
    let size = values.iter().map(|value| value.abs()).sum::<f64>().max(1.0);
    let is_sum = (bias + values.iter().sum::<f64>() - logit).abs() <= TOLERANCE * size;
    Ok((channels == weight.len() && is_sum).then_some(Parts { logit, bias, height, width, values }))
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
}

fn refusal(backbone: &ResolvedBackbone) -> Error {
    let message = format!(
        "where the network looked cannot be shown: the layer {} is not the mean of one map",
        backbone.layer
    );
    Error::new(Kind::Backbone, message).at(&backbone.name)
}

/// Names layers of the network that have positions.
fn remedy(backbone: &ResolvedBackbone) -> String {
    let summary =
        backbone.read_model().and_then(|model| network_summary(&model, backbone.preprocessing.size));
    let endpoints = summary.map(|summary| summary.endpoints).unwrap_or_default();
    let has_positions = |shape: &Option<Vec<usize>>| matches!(shape.as_deref(), Some([h, w, _]) if h * w > 1);
    let with_positions = endpoints.iter().filter(|endpoint| has_positions(&endpoint.shape));
    let mut names: Vec<&str> = with_positions.rev().take(3).map(|endpoint| endpoint.name.as_str()).collect();
    names.reverse();
    let such = if names.is_empty() { String::new() } else { format!(", such as {}", names.join(", ")) };
    format!("`extract` and `train` with one `layer` that has positions{such}, or is the mean of one that has")
}
