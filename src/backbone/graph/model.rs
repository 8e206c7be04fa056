//! An existing ONNX file in memory: what it says about its input, and cutting it after a layer.

use super::builder::encoded_node;
use super::messages::{
    AttributeProto, DimensionProto, FLOAT, FLOAT16, GraphProto, ModelProto, NodeProto, TensorLocation,
    TensorName, ValueInfoProto,
};
use super::operators::Operators;
use super::shapes::int;
use crate::error::{Error, Kind, Result, did_you_mean};
use prost::Message;
use std::collections::HashSet;

/// The metadata key under which an ONNX file holds its preprocessing, as JSON.
pub const PREPROCESSING_KEY: &str = "headstart.preprocessing";

/// The metadata key under which an ONNX file names its default layer.
pub(super) const LAYER_KEY: &str = "headstart.layer";
/// The metadata key under which an ONNX file says what its own input takes.
pub(super) const INPUT_KEY: &str = "headstart.input";

/// What an ONNX file says about its input.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// Side of the square input in pixels; `None` when the file leaves it open.
    pub input_side: Option<usize>,
    /// The preprocessing as JSON; `None` when the file does not hold one.
    pub preprocessing: Option<String>,
    /// A few words that describe it; `None` when the file does not hold them.
    pub title: Option<String>,
    /// The layer to embed by default; `None` when the file does not name one.
    pub layer: Option<String>,
    /// Whether the network itself takes bytes.
    pub takes_bytes: bool,
    /// Licence of the weights; `None` when the file does not hold it.
    pub licence: Option<String>,
    /// The published source by whose rules it was built; `None` when the file does not hold it.
    pub source: Option<String>,
    /// Digest of the weights file that it was built from; `None` when the file does not hold it.
    pub source_sha256: Option<String>,
    /// The classes of its own classifier, as a list in JSON; `None` when the file does not hold them.
    pub classes: Option<String>,
    /// Whether it has values called `Logits` and `Predictions`.
    pub has_classifier: bool,
}

/// Reads what an ONNX file says about its input, without opening a session.
///
/// # Errors
/// [`Kind::Backbone`] when `bytes` are not an ONNX model whose one input is a batch of square RGB images.
pub fn inspect(bytes: &[u8]) -> Result<ModelInfo> {
    let model = OnnxModel::parse(bytes)?;
    let dims = model.input_dims();
    let is_square = matches!(dims[..], [_, None | Some(3), h, w] if h == w);
    if !is_square {
        return Err(Error::new(Kind::Backbone, format!("its input has the dimensions {dims:?}"))
            .help("a backbone takes [batch, 3, side, side]"));
    }
    let metadata = |key: &str| model.metadata(key).map(str::to_string);
    let outputs: Vec<&str> = model.graph().output.iter().map(|output| output.name.as_str()).collect();
    Ok(ModelInfo {
        input_side: dims[2],
        preprocessing: metadata(PREPROCESSING_KEY),
        title: metadata("headstart.title"),
        layer: metadata(LAYER_KEY),
        takes_bytes: model.metadata(INPUT_KEY) == Some("uint8"),
        licence: metadata("headstart.licence"),
        source: metadata("headstart.source"),
        source_sha256: metadata("headstart.source_sha256"),
        classes: metadata("headstart.classes"),
        has_classifier: outputs.contains(&"Logits") && outputs.contains(&"Predictions"),
    })
}

/// An ONNX file in memory that can be edited.
#[derive(Clone)]
pub(in crate::backbone) struct OnnxModel(ModelProto);

impl OnnxModel {
    /// Decodes an ONNX file.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the bytes are not an ONNX model with exactly one input.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let fail = |why: &str| Error::new(Kind::Backbone, format!("not a usable ONNX model: {why}"));
        let model = ModelProto::decode(bytes).map_err(|e| fail("the protobuf is damaged").because(e))?;
        let graph = model.graph.as_ref().ok_or_else(|| fail("it holds no graph"))?;
        let weights = initializer_names(graph);
        if graph.input.iter().filter(|input| !weights.contains(&input.name)).count() != 1 {
            return Err(fail("it must have exactly one input, the image"));
        }
        Ok(Self(model))
    }

    /// The graph.
    pub(super) fn graph(&self) -> &GraphProto {
        self.0.graph.as_ref().expect("checked by parse")
    }

    /// The graph, for editing.
    pub(super) fn graph_mut(&mut self) -> &mut GraphProto {
        self.0.graph.as_mut().expect("checked by parse")
    }

    /// The whole file, for editing.
    pub(super) fn file_mut(&mut self) -> &mut ModelProto {
        &mut self.0
    }

    /// Version of ONNX' own operators; 0 when the file names none.
    pub(super) fn opset(&self) -> i64 {
        let is_own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let mut own = self.0.opset_import.iter().filter(|opset| is_own(&opset.domain));
        own.next().map_or(0, |opset| opset.version)
    }

    /// The value of a metadata key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// The dimensions of the image input; `None` for one that the file does not fix.
    pub fn input_dims(&self) -> Vec<Option<usize>> {
        let input = image_input(self.graph()).map(|at| &self.graph().input[at]);
        let shape = input.and_then(|i| i.kind.as_ref()?.tensor.as_ref()?.shape.as_ref());
        let fixed = |d: &DimensionProto| d.value.filter(|&v| v > 0).map(|v| v as usize);
        shape.map(|s| s.dim.iter().map(fixed).collect()).unwrap_or_default()
    }

    /// The operators, for messages of the runtime.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when a node is damaged.
    pub fn operators(&self) -> Result<Operators> {
        let opsets = self.0.opset_import.iter().map(|opset| (opset.domain.clone(), opset.version)).collect();
        Ok(Operators::new(self.nodes()?, opsets))
    }

    /// Whether some weights or values are 16-bit floats, so that a layer may be.
    fn has_half(&self, nodes: &[NodeProto]) -> bool {
        let is_half = |bytes: &Vec<u8>| {
            TensorLocation::decode(&bytes[..]).is_ok_and(|tensor| tensor.data_type == FLOAT16)
        };
        let to_half = |node: &NodeProto| node.op_type == "Cast" && int(node, "to", 0) == i64::from(FLOAT16);
        let graph = self.graph();
        graph.initializer.iter().any(is_half)
            || nodes.iter().any(to_half)
            || graph.output.iter().any(|output| output.element() == FLOAT16)
    }

    /// Returns the bytes of the ONNX file, which can be edited further.
    pub(super) fn encoded(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Returns the bytes of the ONNX file.
    pub fn encode(self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Decodes the nodes, in order.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when one is damaged.
    pub(super) fn nodes(&self) -> Result<Vec<NodeProto>> {
        let decode = |bytes: &Vec<u8>| {
            NodeProto::decode(&bytes[..])
                .map_err(|e| Error::new(Kind::Backbone, "a node of the ONNX model is damaged").because(e))
        };
        self.graph().node.iter().map(decode).collect()
    }

    /// Makes `texts`, each a layer or several joined by `+`, the only outputs, and removes the nodes and weights that they do
    /// not need. Each layer becomes one output. Returns for each text the positions of its outputs.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when no value of the graph has the name of a layer, in which case the remedy lists the last layers,
    /// or when a text names a layer twice.
    pub fn truncate_after(&mut self, texts: &[&str]) -> Result<Vec<Vec<usize>>> {
        texts.iter().try_for_each(|text| self.add_pooled(text))?;
        let nodes = self.nodes()?;
        let mut layers: Vec<&str> = Vec::new();
        let mut outputs = Vec::with_capacity(texts.len());
        for text in texts {
            let of_text = named_layers(text, &nodes)?;
            let place = |layer| {
                layers.iter().position(|other| *other == layer).unwrap_or_else(|| {
                    layers.push(layer);
                    layers.len() - 1
                })
            };
            outputs.push(of_text.into_iter().map(place).collect());
        }
        let weights = initializer_names(self.graph());
        let has_half = self.has_half(&nodes);
        let graph = self.graph_mut();
        let has_subgraph =
            |n: &NodeProto| n.attribute.iter().any(|a| a.graph.is_some() || !a.graphs.is_empty());
        // Subgraphs use outer values without listing them as inputs, so a file with subgraphs keeps all its nodes.
        if !nodes.iter().any(has_subgraph) {
            remove_unneeded(graph, &nodes, &layers);
        }
        // Old files list their weights among the inputs. Removed weights must not remain as required inputs.
        graph.input.retain(|input| !weights.contains(&input.name));
        let output = |layer: &&str| {
            let declared = graph.output.iter().find(|output| output.name == *layer).cloned();
            declared.unwrap_or(ValueInfoProto { name: (*layer).into(), kind: None })
        };
        graph.output = layers.iter().map(output).collect();
        if has_half {
            outputs_to_float(graph);
        }
        Ok(outputs)
    }
}

/// Returns the layers that `text` names: one, or several joined by `+`. A value whose own name has a `+` is one layer.
fn named_layers<'a>(text: &'a str, nodes: &[NodeProto]) -> Result<Vec<&'a str>> {
    let values: HashSet<&str> = nodes.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    if values.contains(text) {
        return Ok(vec![text]);
    }
    let mut layers = Vec::new();
    for layer in text.split('+') {
        if !values.contains(layer) {
            return Err(unknown_layer(layer, nodes));
        }
        if layers.contains(&layer) {
            return Err(Error::new(Kind::Backbone, format!("`layer` names {layer} twice"))
                .help("name each layer once"));
        }
        layers.push(layer);
    }
    Ok(layers)
}

/// Removes the nodes and weights that no layer depends on. `nodes` are the decoded nodes of `graph`.
fn remove_unneeded(graph: &mut GraphProto, nodes: &[NodeProto], layers: &[&str]) {
    let keep = needed_nodes(nodes, layers);
    let needed: HashSet<&str> = nodes
        .iter()
        .zip(&keep)
        .filter(|(_, keep)| **keep)
        .flat_map(|(node, _)| node.input.iter().map(String::as_str))
        .collect();
    let mut kept = keep.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(true));
    graph.initializer.retain(|bytes| tensor_name(bytes).is_none_or(|name| needed.contains(name.as_str())));
}

/// Marks the nodes that the values `layers` depend on.
pub(super) fn needed_nodes(nodes: &[NodeProto], layers: &[&str]) -> Vec<bool> {
    let mut needed: HashSet<&str> = layers.iter().copied().collect();
    let mut keep = vec![false; nodes.len()];
    for (node, keep) in nodes.iter().zip(&mut keep).rev() {
        *keep = node.output.iter().any(|name| needed.contains(name.as_str()));
        if *keep {
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    keep
}

fn unknown_layer(layer: &str, nodes: &[NodeProto]) -> Error {
    let names = endpoint_names(nodes);
    let shown = names.iter().rev().take(30).rev().copied().collect::<Vec<_>>().join(", ");
    let meant = did_you_mean(layer, names.iter().copied());
    Error::new(Kind::Backbone, format!("the network has no layer called {layer:?}"))
        .help(format!("{meant}its last layers are: {shown}"))
}

/// Makes each output 32-bit floats, whatever it was.
fn outputs_to_float(graph: &mut GraphProto) {
    for output in &mut graph.output {
        let name = format!("{}/float32", output.name);
        let to = vec![AttributeProto::int("to", i64::from(FLOAT))];
        graph.node.push(encoded_node("Cast", &[&output.name], &name, to));
        *output = ValueInfoProto { name, kind: None };
    }
}

/// Returns the names of the endpoints. The graphs built here name inner values with slashes; endpoints have none.
pub(super) fn endpoint_names(nodes: &[NodeProto]) -> Vec<&str> {
    let mut names: Vec<&str> = nodes.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    if names.iter().any(|name| !name.contains('/')) {
        names.retain(|name| !name.contains('/'));
    }
    names
}

fn tensor_name(bytes: &[u8]) -> Option<String> {
    TensorName::decode(bytes).ok().map(|tensor| tensor.name)
}

/// Position of the one graph input that is not a weight.
pub(super) fn image_input(graph: &GraphProto) -> Option<usize> {
    let weights = initializer_names(graph);
    graph.input.iter().position(|input| !weights.contains(&input.name))
}

pub(super) fn initializer_names(graph: &GraphProto) -> HashSet<String> {
    graph.initializer.iter().filter_map(|bytes| tensor_name(bytes)).collect()
}
