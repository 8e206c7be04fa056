//! The structure of a graph, without its weights.

use super::messages::{INT, INTS, NodeProto, TensorDims};
use super::model::{OnnxModel, image_input};
use crate::error::Result;
use prost::Message;
use std::collections::HashMap;

/// A graph without its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphSummary {
    /// The name of the graph in the file.
    pub name: String,
    /// The image input.
    pub input: GraphInput,
    /// The nodes in topological order: each stands after the nodes whose outputs it uses.
    pub nodes: Vec<NodeSummary>,
}

/// The input of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphInput {
    /// Its name.
    pub name: String,
    /// Its shape, usually `[batch, channels, height, width]`; -1 for a dimension that the file does not fix.
    pub shape: Vec<i64>,
}

/// A node of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeSummary {
    /// The operator, such as `Conv`.
    pub op: String,
    /// The names of its inputs, weights included.
    pub inputs: Vec<String>,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// The attributes that are integers or lists of integers, as pairs of name and values.
    pub attributes: Vec<(String, Vec<i64>)>,
    /// The shape of its first weight; empty for a node without weights.
    pub weight_shape: Vec<i64>,
}

/// Summarizes the ONNX file `model` up to `layer`.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when `model` is not an ONNX model or has no such layer.
pub fn graph_summary(model: &[u8], layer: &str) -> Result<GraphSummary> {
    let mut model = OnnxModel::parse(model)?;
    model.truncate_after(&[layer])?;
    let graph = model.graph();
    let weight_shapes: HashMap<String, Vec<i64>> = graph
        .initializer
        .iter()
        .filter_map(|bytes| TensorDims::decode(&bytes[..]).ok())
        .map(|tensor| (tensor.name, tensor.dims))
        .collect();
    let nodes = model.nodes()?.into_iter().map(|node| node_summary(node, &weight_shapes)).collect();
    let name = image_input(graph).map_or(String::new(), |at| graph.input[at].name.clone());
    let shape = model.input_dims().into_iter().map(|dim| dim.map_or(-1, |dim| dim as i64)).collect();
    Ok(GraphSummary { name: graph.name.clone(), input: GraphInput { name, shape }, nodes })
}

fn node_summary(node: NodeProto, weight_shapes: &HashMap<String, Vec<i64>>) -> NodeSummary {
    let weight_shape =
        node.input.iter().find_map(|input| weight_shapes.get(input)).cloned().unwrap_or_default();
    let attributes = node.attribute.into_iter().filter_map(|attribute| match attribute.kind {
        INT => Some((attribute.name, vec![attribute.i])),
        INTS => Some((attribute.name, attribute.ints)),
        _ => None,
    });
    let attributes = attributes.collect();
    NodeSummary { op: node.op_type, inputs: node.input, outputs: node.output, attributes, weight_shape }
}
