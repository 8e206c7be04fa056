//! What a network looks like: its nodes and how they hang together, without weights.

use super::messages::{INT, INTS, Node, TensorDims};
use super::{Network, image_input};
use crate::error::{Error, Kind, Result};
use prost::Message;
use std::collections::HashMap;

/// A network without weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What the file calls it.
    pub name: String,
    /// The input for images, and its shape; -1 for what is not fixed.
    pub input: (String, Vec<i64>),
    /// Its nodes, each behind those that it takes from.
    pub nodes: Vec<OutlineNode>,
}

/// A node of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineNode {
    /// The operation.
    pub op: String,
    /// The values that it takes, weights among them.
    pub inputs: Vec<String>,
    /// The values that it gives.
    pub outputs: Vec<String>,
    /// Its settings that are whole numbers, by name.
    pub settings: Vec<(String, Vec<i64>)>,
    /// The shape of its first weight; empty where it has none.
    pub weight: Vec<i64>,
}

/// The outline of the ONNX file in `model` up to `layer`.
///
/// # Errors
/// [`Kind::Backbone`] when it is no ONNX model, or has no such layer.
pub fn outline(model: &[u8], layer: &str) -> Result<Outline> {
    let mut network = Network::parse(model)?;
    network.cut(layer)?;
    let graph = network.graph();
    let weights: HashMap<String, Vec<i64>> = graph
        .initializer
        .iter()
        .filter_map(|bytes| TensorDims::decode(&bytes[..]).ok())
        .map(|tensor| (tensor.name, tensor.dims))
        .collect();
    let node = |bytes: &Vec<u8>| {
        let damaged = |e| Error::new(Kind::Backbone, "a node of the ONNX model is damaged").because(e);
        let node = Node::decode(&bytes[..]).map_err(damaged)?;
        let weight = node.input.iter().find_map(|input| weights.get(input)).cloned().unwrap_or_default();
        let settings = node.attribute.into_iter().filter_map(|attribute| match attribute.kind {
            INT => Some((attribute.name, vec![attribute.i])),
            INTS => Some((attribute.name, attribute.ints)),
            _ => None,
        });
        let settings = settings.collect();
        Ok(OutlineNode { op: node.op_type, inputs: node.input, outputs: node.output, settings, weight })
    };
    let nodes = graph.node.iter().map(node).collect::<Result<_>>()?;
    let input = image_input(graph).map_or(String::new(), |at| graph.input[at].name.clone());
    let dims = network.input_dims().into_iter().map(|dim| dim.map_or(-1, |dim| dim as i64)).collect();
    Ok(Outline { name: graph.name.clone(), input: (input, dims), nodes })
}
