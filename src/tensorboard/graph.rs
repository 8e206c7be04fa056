//! The graph of a run: its backbone, where that is at hand, and its head behind it.

use crate::backbone::graph::{GraphSummary, graph_summary};
use crate::digest::Digest;
use crate::error::Result;
use crate::events::Node;
use crate::head::Head;
use crate::monitor::Monitor;
use crate::store::Spec;
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a graph shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Shown {
    /// The whole way from images to probabilities.
    #[serde(rename = "backbone and head")]
    All,
    /// From features on.
    #[serde(rename = "head")]
    Head,
}

/// Graphs of the backbones that were looked for, `None` of those that cannot be had.
#[derive(Debug)]
pub(super) struct Backbones {
    models: PathBuf,
    known: HashMap<(Digest, String), Option<GraphSummary>>,
}

impl Backbones {
    pub fn new(models: &Path) -> Self {
        Self { models: models.to_path_buf(), known: HashMap::new() }
    }

    /// The backbone of these features up to their layer; why there is none is said once.
    fn graph(&mut self, spec: &Spec, monitor: &dyn Monitor) -> Option<&GraphSummary> {
        let read = |models: &Path| -> Result<GraphSummary> {
            graph_summary(&spec.resolve_backbone(models)?.read_model()?, &spec.layer)
        };
        let key = (spec.backbone.graph_sha256, spec.layer.clone());
        let found = self.known.entry(key).or_insert_with(|| {
            let told = |e: crate::error::Error| {
                let remedy = e.remedy().map_or(String::new(), |remedy| format!(" ({remedy})"));
                monitor.warn(&format!("the graph shows the head alone: {}{remedy}", e.with_causes()));
            };
            read(&self.models).map_err(told).ok()
        });
        found.as_ref()
    }
}

/// The nodes of a run's graph.
pub(super) fn nodes(
    spec: &Spec,
    head: &Head,
    backbones: &mut Backbones,
    monitor: &dyn Monitor,
) -> (Vec<Node>, Shown) {
    match backbones.graph(spec, monitor) {
        Some(graph) => {
            let (mut nodes, features) = frozen(graph, &spec.layer);
            nodes.extend(trained(head, &features));
            (nodes, Shown::All)
        }
        None => {
            let features = node("Placeholder", "features", &[], &[-1, head.width() as i64]);
            (std::iter::once(features).chain(trained(head, "features")).collect(), Shown::Head)
        }
    }
}

/// The backbone in a group of its own behind the images, and the value that is embedded.
fn frozen(graph: &GraphSummary, layer: &str) -> (Vec<Node>, String) {
    let scope = match &graph.name[..] {
        "" | "head" | "images" => "backbone",
        name => name,
    };
    let input = &graph.input;
    let value =
        |name: &String| if *name == input.name { "images".to_string() } else { format!("{scope}/{name}") };
    let images = node("Placeholder", "images", &[], &input.shape);
    let inner = graph.nodes.iter().map(|inner| Node {
        outputs: inner.outputs.iter().map(value).collect(),
        op: inner.op.clone(),
        inputs: inner.inputs.iter().map(value).collect(),
        settings: inner.attributes.clone(),
        shape: inner.weight_shape.clone(),
    });
    (std::iter::once(images).chain(inner).collect(), value(&layer.to_string()))
}

/// The head behind `features`.
fn trained(head: &Head, features: &str) -> [Node; 5] {
    let (classes, width) = (head.classes() as i64, head.width() as i64);
    let product = node("MatMul", "head/MatMul", &[features, "head/weight"], &[]);
    [
        node("VariableV2", "head/weight", &[], &[classes, width]),
        node("VariableV2", "head/bias", &[], &[classes]),
        Node { settings: vec![("transpose_b".into(), vec![1])], ..product },
        node("BiasAdd", "head/BiasAdd", &["head/MatMul", "head/bias"], &[]),
        node("Softmax", "head/Softmax", &["head/BiasAdd"], &[]),
    ]
}

fn node(op: &str, name: &str, inputs: &[&str], shape: &[i64]) -> Node {
    Node {
        outputs: vec![name.into()],
        op: op.into(),
        inputs: inputs.iter().map(|input| (*input).to_string()).collect(),
        settings: Vec::new(),
        shape: shape.to_vec(),
    }
}
