//! Turns the graph of a backbone into that of a whole classifier: pictures in, classes out.

use super::builder::{Dim, typed_value};
use super::label;
use super::messages::{
    AttributeProto, BOOL, DOUBLE, FLOAT, INT64, NodeValues, StringStringEntryProto, UINT8, ValueInfoProto,
};
use super::model::{INPUT_KEY, LAYER_KEY, OnnxModel, image_input};
use super::node_writer::NodeWriter;
use super::picture_input;
use super::pixel_input::PIXEL_INPUT;
use crate::data::preprocess::{Preprocessing, ValueType};
use crate::error::{Error, Kind, Result};
use crate::head::decision::Decider;
use crate::head::rejection::QuadraticForm;
use crate::head::{Head, Layer};
use prost::Message;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The name of the input of a classifier.
pub const INPUT: &str = "image";
/// The output of the index of the most probable class, int64 `[batch]`.
pub const LABEL_INDEX: &str = "label_index";
/// The output of class probabilities, float32 `[batch, classes]`.
pub const PROBABILITIES: &str = "probabilities";
/// The output of the features, float32 `[batch, width]`.
pub const FEATURES: &str = "features";
/// The output of the distance from the nearest class, float32 `[batch]`.
pub const DISTANCE: &str = "distance";
/// The output that says whether the image is of a known class, bool `[batch]`.
pub const IS_KNOWN: &str = "is_known";

const NAMES: [&str; 6] = [INPUT, LABEL_INDEX, PROBABILITIES, FEATURES, DISTANCE, IS_KNOWN];

/// The program that wrote a classifier, at the start of its file.
pub const CLASSIFIER_PRODUCER: &str = "headstart classifier";

/// What the input of a classifier takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ClassifierInput {
    /// Pictures of any size: uint8 `[batch, height, width, 3]`.
    #[default]
    Uint8,
    /// Pictures that were cropped and resized before: `[batch, size, size, 3]`, uint8 or, where the backbone's filter does not
    /// round, float32 from 0 to 255.
    Resized,
    /// What the network itself takes: float32 `[batch, 3, size, size]`, normalized.
    Float,
}

impl ClassifierInput {
    const ALL: [Self; 3] = [Self::Uint8, Self::Resized, Self::Float];
}

impl fmt::Display for ClassifierInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uint8 => "uint8",
            Self::Resized => "resized",
            Self::Float => "float",
        })
    }
}

impl FromStr for ClassifierInput {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|input| input.to_string() == text).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{text:?} is not an input of a classifier"))
                .help("use uint8, resized or float")
        })
    }
}

/// What a classifier consists of besides its backbone.
#[derive(Debug)]
pub struct ClassifierParts<'a> {
    /// The layer whose output is the features.
    pub layer: &'a str,
    /// Number of dimensions of each layer that `layer` names, batch included.
    pub ranks: &'a [usize],
    /// How pictures become the input of the network.
    pub preprocessing: &'a Preprocessing,
    /// What the input takes.
    pub input: ClassifierInput,
    /// The head.
    pub head: &'a Head,
    /// Divisor of the logits.
    pub temperature: f64,
    /// Whether each class has a probability of its own.
    pub is_multi_label: bool,
    /// How the label is decided; `None` for the most probable class.
    pub decider: Option<&'a Decider>,
    /// The measure of distance, and the largest distance of a known image.
    pub rejection: Option<(QuadraticForm, f32)>,
    /// Metadata, as pairs of key and value.
    pub metadata: &'a [(&'a str, String)],
}

/// Builds the ONNX file of a classifier from that of its backbone.
///
/// # Errors
/// [`Kind::Backbone`] when `model` is not a usable network or has no such layer, [`Kind::Usage`] when pictures cannot be resized
/// inside the file.
pub fn classifier(model: &[u8], parts: &ClassifierParts) -> Result<Vec<u8>> {
    let mut model = OnnxModel::parse(model)?;
    model.truncate_after(&[parts.layer])?;
    let opset = model.opset();
    model.free_names()?;
    model.add_classifier(parts, opset);
    model.add_input(parts, opset)?;
    let is_old = |key: &str| {
        [INPUT_KEY, LAYER_KEY].contains(&key) || parts.metadata.iter().any(|(new, _)| *new == key)
    };
    let new = parts.metadata.iter().map(|(key, value)| (key.to_string(), value.clone()));
    Ok(model.finish(CLASSIFIER_PRODUCER, is_old, new.collect()))
}

impl OnnxModel {
    /// Renames values and nodes that have the name of a classifier's input or output.
    fn free_names(&mut self) -> Result<()> {
        let graph = self.graph_mut();
        let is_taken = |name: &String| NAMES.contains(&name.as_str());
        let free = |name: &mut String| *name = format!("backbone/{name}");
        for bytes in &mut graph.node {
            let mut node = NodeValues::decode(&bytes[..])
                .map_err(|e| Error::new(Kind::Backbone, "a node of the ONNX model is damaged").because(e))?;
            let mut names: Vec<&mut String> =
                node.input.iter_mut().chain(&mut node.output).chain([&mut node.name]).collect();
            names.retain(|name| is_taken(name));
            if !names.is_empty() {
                names.into_iter().for_each(free);
                *bytes = node.encode_to_vec();
            }
        }
        let values = graph.input.iter_mut().chain(&mut graph.output).map(|value| &mut value.name);
        values.filter(|name| is_taken(name)).for_each(free);
        graph
            .value_info
            .retain(|bytes| ValueInfoProto::decode(&bytes[..]).is_ok_and(|value| !is_taken(&value.name)));
        Ok(())
    }

    /// Replaces the outputs, which are layers, by those of the classifier.
    fn add_classifier(&mut self, parts: &ClassifierParts, opset: i64) {
        let graph = self.graph_mut();
        let layers: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
        graph.output.clear();
        let mut w = NodeWriter::new("headstart/head", opset);
        join_features(&mut w, &layers, parts.ranks);
        classify(&mut w, parts.head, parts.temperature, parts.is_multi_label);
        label::write(&mut w, parts.decider, PROBABILITIES, LABEL_INDEX);
        let batch = Dim::Open("batch");
        let mut output = |name, element, dims: &[Dim]| graph.output.push(typed_value(name, element, dims));
        output(LABEL_INDEX, INT64, &[batch]);
        output(PROBABILITIES, FLOAT, &[batch, Dim::Fixed(parts.head.classes())]);
        output(FEATURES, FLOAT, &[batch, Dim::Fixed(parts.head.width())]);
        if let Some((form, threshold)) = &parts.rejection {
            reject(&mut w, form, *threshold);
            output(DISTANCE, FLOAT, &[batch]);
            output(IS_KNOWN, BOOL, &[batch]);
        }
        w.put_behind(graph);
    }

    /// Replaces the input.
    fn add_input(&mut self, parts: &ClassifierParts, opset: i64) -> Result<()> {
        let steps = parts.preprocessing;
        let batch = self.input_dims().first().copied().flatten().map_or(Dim::Open("batch"), Dim::Fixed);
        let (size, colours) = (Dim::Fixed(steps.size), Dim::Fixed(3));
        let mut w = NodeWriter::new("headstart/input", opset);
        let input = match parts.input {
            ClassifierInput::Uint8 => {
                picture_input::check(steps, opset)?;
                self.use_pixel_input(ValueType::Float32, &steps.normalization.steps());
                picture_input::write(&mut w, INPUT, steps, PIXEL_INPUT);
                typed_value(INPUT, UINT8, &[batch, Dim::Open("height"), Dim::Open("width"), colours])
            }
            ClassifierInput::Resized => {
                self.use_pixel_input(steps.value_type(), &steps.normalization.steps());
                let order = AttributeProto::ints("perm", &[0, 3, 1, 2]);
                w.named("Transpose", &[INPUT], PIXEL_INPUT, vec![order]);
                let element = if steps.value_type() == ValueType::Uint8 { UINT8 } else { FLOAT };
                typed_value(INPUT, element, &[batch, size, size, colours])
            }
            ClassifierInput::Float => {
                let graph = self.graph();
                let at = image_input(graph).expect("checked by parse");
                w.named("Identity", &[INPUT], &graph.input[at].name, Vec::new());
                typed_value(INPUT, FLOAT, &[batch, colours, size, size])
            }
        };
        let graph = self.graph_mut();
        let at = image_input(graph).expect("checked by parse");
        graph.input[at] = input;
        w.put_before(graph);
        Ok(())
    }
}

/// Joins layers to the features; one with positions is averaged over them.
fn join_features(w: &mut NodeWriter, layers: &[String], ranks: &[usize]) {
    let rows: Vec<String> = layers
        .iter()
        .zip(ranks)
        .map(|(layer, rank)| {
            if *rank == 2 {
                return layer.clone();
            }
            let mean = w.op("GlobalAveragePool", &[layer]);
            w.op_with("Flatten", &[&mean], vec![AttributeProto::int("axis", 1)])
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    match rows[..] {
        [only] => w.named("Identity", &[only], FEATURES, Vec::new()),
        _ => w.named("Concat", &rows, FEATURES, vec![AttributeProto::int("axis", 1)]),
    }
}

/// The smallest logarithm of a probability that [`apply_temperature`](crate::metrics::apply_temperature) knows: that of the
/// smallest positive 32-bit float.
fn smallest_logarithm() -> f32 {
    f64::from(f32::from_bits(1)).ln() as f32
}

/// Writes a linear layer over the value `inputs`, and returns the name of its outputs.
fn linear(w: &mut NodeWriter, layer: &Layer, inputs: &str) -> String {
    let weight = w.floats(&[layer.outputs(), layer.inputs()], &layer.weight());
    let bias = w.floats(&[layer.outputs()], layer.bias());
    w.op_with("Gemm", &[inputs, &weight, &bias], vec![AttributeProto::int("transB", 1)])
}

/// Writes the head, the temperature and softmax; for several labels the sigmoid.
fn classify(w: &mut NodeWriter, head: &Head, temperature: f64, is_multi_label: bool) {
    let inputs = match head.hidden() {
        Some(hidden) => {
            let units = linear(w, hidden, FEATURES);
            w.op("Relu", &[&units])
        }
        None => FEATURES.into(),
    };
    let logits = linear(w, head.output(), &inputs);
    if is_multi_label {
        return w.named("Sigmoid", &[&logits], PROBABILITIES, Vec::new());
    }
    let axis = || vec![AttributeProto::int("axis", 1)];
    let scaled = if temperature == 1.0 {
        logits
    } else {
        let logarithms = w.op_with("LogSoftmax", &[&logits], axis());
        let (least, by) = (w.floats(&[], &[smallest_logarithm()]), w.floats(&[], &[temperature as f32]));
        let limited = w.op("Max", &[&logarithms, &least]);
        w.op("Div", &[&limited, &by])
    };
    w.named("Softmax", &[&scaled], PROBABILITIES, axis());
}

/// Writes the distance from the nearest class and its comparison with `threshold`. Squares of distances are differences of large
/// numbers, so they are 64-bit floats.
fn reject(w: &mut NodeWriter, form: &QuadraticForm, threshold: f32) {
    let (width, directions, classes) = (form.width(), form.shrink.len(), form.constants.len());
    let features = w.cast(FEATURES, DOUBLE);
    let squares = w.op("Mul", &[&features, &features]);
    let all = w.doubles(&[width, 1], &vec![form.inverse; width]);
    let whole = w.op("MatMul", &[&squares, &all]);
    let along = w.doubles(&[width, directions], &form.directions);
    let along = w.op("MatMul", &[&features, &along]);
    let along = w.op("Mul", &[&along, &along]);
    let shrink = w.doubles(&[directions, 1], &form.shrink);
    let along = w.op("MatMul", &[&along, &shrink]);
    let own = w.op("Sub", &[&whole, &along]);
    let linear = w.doubles(&[width, classes], &form.linear);
    let linear = w.op("MatMul", &[&features, &linear]);
    let constants = w.doubles(&[1, classes], &form.constants);
    let of_classes = w.op("Sub", &[&constants, &linear]);
    let squared = w.op("Add", &[&own, &of_classes]);
    let nearest = w.reduce_rows("ReduceMin", &squared, false);
    let zero = w.doubles(&[], &[0.0]);
    let nearest = w.op("Max", &[&nearest, &zero]);
    let root = w.op("Sqrt", &[&nearest]);
    w.named("Cast", &[&root], DISTANCE, vec![AttributeProto::int("to", i64::from(FLOAT))]);
    let above = w.floats(&[], &[threshold.next_up()]);
    // Not for a distance that is not a number.
    w.named("Less", &[DISTANCE, &above], IS_KNOWN, Vec::new());
}

impl OnnxModel {
    /// Returns the bytes of the file with another producer, without the metadata that `is_old`, and with `metadata`.
    fn finish(
        mut self,
        producer: &str,
        is_old: impl Fn(&str) -> bool,
        metadata: Vec<(String, String)>,
    ) -> Vec<u8> {
        let file = self.file_mut();
        file.producer_name = producer.into();
        file.producer_version = env!("CARGO_PKG_VERSION").into();
        file.metadata.retain(|entry| !is_old(&entry.key));
        file.metadata.extend(metadata.into_iter().map(|(key, value)| StringStringEntryProto { key, value }));
        self.encode()
    }
}

/// Whether `start`, the first bytes of a file, are those of a classifier that this program wrote.
pub fn is_classifier(start: &[u8]) -> bool {
    // The version of the format, then the length of the producer's name and the name.
    let name = CLASSIFIER_PRODUCER.as_bytes();
    start.windows(name.len() + 1).take(8).any(|part| part[0] as usize == name.len() && part[1..] == *name)
}
