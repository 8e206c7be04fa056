//! The graph of a run: backbone and head, or the head alone where the backbone is not available.

use crate::backbone::BackboneSearch;
use crate::backbone::graph::{GraphSummary, graph_summary};
use crate::cache::Spec;
use crate::error::{Error, Result};
use crate::head::{Head, Layer};
use crate::io::digest::Digest;
use crate::io::events::GraphNode;
use crate::monitor::Monitor;
use crate::run::TrainedHead;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a graph contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum GraphScope {
    /// Everything from images to probabilities.
    #[serde(rename = "backbone and head")]
    BackboneAndHead,
    /// Everything from features to probabilities.
    #[serde(rename = "head")]
    Head,
}

/// The graph of a run.
pub(super) struct RunGraph {
    pub nodes: Vec<GraphNode>,
    pub scope: GraphScope,
}

/// The backbones of the runs so far, by graph and layer; `None` for those that are not available.
#[derive(Debug)]
pub(super) struct Backbones {
    models: PathBuf,
    /// The ONNX file, where a person named it.
    given: Option<PathBuf>,
    known: HashMap<(Digest, String), Option<GraphSummary>>,
}

impl Backbones {
    /// Looks for backbones at `given`, else where they were, near the run and in the folder `models`.
    pub fn new(models: &Path, given: Option<&Path>) -> Self {
        Self { models: models.to_path_buf(), given: given.map(Path::to_path_buf), known: HashMap::new() }
    }

    /// Returns the backbone of these features, up to their layer. If it is not available, one warning says why.
    fn graph(&mut self, run: &Path, spec: &Spec, monitor: &dyn Monitor) -> Option<&GraphSummary> {
        let search = BackboneSearch { models: &self.models, given: self.given.as_deref(), near: run };
        let read = || -> Result<GraphSummary> {
            graph_summary(&spec.resolve_backbone(search)?.read_model()?, &spec.layer)
        };
        let key = (spec.backbone.graph_sha256, spec.layer.clone());
        let found = self.known.entry(key).or_insert_with(|| {
            let warn = |error: Error| {
                let remedy = error.remedy().map_or(String::new(), |remedy| format!(" ({remedy})"));
                monitor.warn(&format!("the graph shows the head alone: {}{remedy}", error.with_causes()));
            };
            read().map_err(warn).ok()
        });
        found.as_ref()
    }
}

/// Builds the graph of a run.
pub(super) fn of_run(
    run: &Path,
    trained: &TrainedHead,
    backbones: &mut Backbones,
    monitor: &dyn Monitor,
) -> RunGraph {
    let TrainedHead { head, spec, .. } = trained;
    match backbones.graph(run, spec, monitor) {
        Some(graph) => {
            let features = backbone_value(graph, &spec.layer);
            let nodes = backbone_nodes(graph).into_iter().chain(head_nodes(head, &features)).collect();
            RunGraph { nodes, scope: GraphScope::BackboneAndHead }
        }
        None => {
            let features = node("Placeholder", "features", &[], &[-1, head.width() as i64]);
            let nodes = std::iter::once(features).chain(head_nodes(head, "features")).collect();
            RunGraph { nodes, scope: GraphScope::Head }
        }
    }
}

/// The nodes of the backbone as one group, preceded by a node for the images.
fn backbone_nodes(graph: &GraphSummary) -> Vec<GraphNode> {
    let images = node("Placeholder", "images", &[], &graph.input.shape);
    let rename = |names: &[String]| names.iter().map(|name| backbone_value(graph, name)).collect();
    let inner = graph.nodes.iter().map(|inner| GraphNode {
        outputs: rename(&inner.outputs),
        op: inner.op.clone(),
        inputs: rename(&inner.inputs),
        settings: inner.attributes.clone(),
        shape: inner.weight_shape.clone(),
    });
    std::iter::once(images).chain(inner).collect()
}

/// Name of a value of the backbone in the graph of the run.
fn backbone_value(graph: &GraphSummary, name: &str) -> String {
    let group = match &graph.name[..] {
        "" | "head" | "images" => "backbone",
        name => name,
    };
    if name == graph.input.name { "images".into() } else { format!("{group}/{name}") }
}

/// The nodes of the head, whose input is the value `features`.
fn head_nodes(head: &Head, features: &str) -> Vec<GraphNode> {
    let mut nodes = Vec::new();
    if let Some(hidden) = head.hidden() {
        nodes.extend(layer_nodes(hidden, "head/hidden", features));
        nodes.push(node("Relu", "head/hidden/Relu", &["head/hidden/BiasAdd"], &[]));
    }
    let inputs = if nodes.is_empty() { features } else { "head/hidden/Relu" };
    nodes.extend(layer_nodes(head.output(), "head", inputs));
    nodes.push(node("Softmax", "head/Softmax", &["head/BiasAdd"], &[]));
    nodes
}

/// The nodes of a layer in the group `group`.
fn layer_nodes(layer: &Layer, group: &str, inputs: &str) -> [GraphNode; 4] {
    let (outputs, width) = (layer.outputs() as i64, layer.inputs() as i64);
    let [weight, bias, matmul, sum] =
        ["weight", "bias", "MatMul", "BiasAdd"].map(|name| format!("{group}/{name}"));
    let product = node("MatMul", &matmul, &[inputs, &weight], &[]);
    [
        node("VariableV2", &weight, &[], &[outputs, width]),
        node("VariableV2", &bias, &[], &[outputs]),
        GraphNode { settings: vec![("transpose_b".into(), vec![1])], ..product },
        node("BiasAdd", &sum, &[&matmul, &bias], &[]),
    ]
}

fn node(op: &str, name: &str, inputs: &[&str], shape: &[i64]) -> GraphNode {
    GraphNode {
        outputs: vec![name.into()],
        op: op.into(),
        inputs: inputs.iter().map(|input| (*input).to_string()).collect(),
        settings: Vec::new(),
        shape: shape.to_vec(),
    }
}
