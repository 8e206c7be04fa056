//! What a network is made of: the shape and cost of each endpoint, and its weights, read from the file alone.

use super::messages::{NodeProto, TensorDims};
use super::model::{OnnxModel, endpoint_names, image_input, needed_nodes};
use super::shapes::infer;
use crate::error::Result;
use prost::Message;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// The endpoints and the weights of a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NetworkSummary {
    /// The endpoints, from the input on.
    pub endpoints: Vec<Endpoint>,
    /// The weights, from the input on.
    pub variables: Vec<Variable>,
    /// Number of values of all weights.
    pub parameters: u64,
    /// Multiplications and additions of one image up to the last endpoint, counted as one operation each pair.
    pub multiply_adds: u64,
}

/// A named value of a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its name, a value of `layer`.
    pub name: String,
    /// Its shape for one image, `[height, width, channels]` or `[width]`; `None` behind an operator of unknown shape.
    pub shape: Option<Vec<usize>>,
    /// Number of values of the weights between the endpoints before it and this one.
    pub parameters: u64,
    /// Multiply-adds of one image between the endpoints before it and this one.
    pub multiply_adds: u64,
}

/// A weight of a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Variable {
    /// Its name in the file.
    pub name: String,
    /// Its shape in the file; kernels are `[filters, channels, height, width]`.
    pub shape: Vec<usize>,
    /// Number of its values.
    pub parameters: u64,
}

/// Summarizes the ONNX file `model`, whose input is `side` pixels wide and high.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when `model` is not a usable ONNX model.
pub fn network_summary(model: &[u8], side: usize) -> Result<NetworkSummary> {
    let model = OnnxModel::parse(model)?;
    let nodes = model.nodes()?;
    let mut variables = variables(&model);
    let mut weights: HashMap<String, Vec<usize>> =
        variables.iter().map(|v| (v.name.clone(), v.shape.clone())).collect();
    let levels = levels(&nodes);
    // A single number, such as the bound of a clip, is not trained, nor is a scale of integers.
    variables.retain(|variable| !variable.shape.is_empty() && !levels.contains(variable.name.as_str()));
    let trained: HashSet<String> = variables.iter().map(|variable| variable.name.clone()).collect();
    let input = image_input(model.graph()).map_or("", |at| model.graph().input[at].name.as_str());
    let shapes = infer(&nodes, (input, vec![1, 3, side, side]), &weights);
    let of_integers =
        nodes.iter().filter(|n| n.op_type == "DequantizeLinear" && trained.contains(&n.input[0]));
    let floats = of_integers.map(|n| (n.output[0].clone(), weights[&n.input[0]].clone()));
    let floats: Vec<(String, Vec<usize>)> = floats.collect();
    weights.extend(floats);
    let mut seen = Seen { nodes: vec![false; nodes.len()], weights: HashSet::new() };
    let endpoints = endpoint_names(&nodes).into_iter().map(|name| {
        let needed = needed_nodes(&nodes, &[name]);
        let (mut parameters, mut multiply_adds) = (0, 0);
        for (i, node) in nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
            if std::mem::replace(&mut seen.nodes[i], true) {
                continue;
            }
            multiply_adds += cost(node, &shapes, &weights);
            for weight in node.input.iter().filter(|input| trained.contains(*input)) {
                if seen.weights.insert(weight.clone()) {
                    parameters += count(&weights[weight]);
                }
            }
        }
        let shape = shapes.get(name).map(|shape| channels_last(shape));
        Endpoint { name: name.into(), shape, parameters, multiply_adds }
    });
    let endpoints: Vec<Endpoint> = endpoints.collect();
    Ok(NetworkSummary {
        parameters: variables.iter().map(|variable| variable.parameters).sum(),
        multiply_adds: endpoints.iter().map(|endpoint| endpoint.multiply_adds).sum(),
        endpoints,
        variables,
    })
}

/// The names of scales and zero points of integers.
fn levels(nodes: &[NodeProto]) -> HashSet<&str> {
    let of_levels = nodes.iter().filter(|n| matches!(&n.op_type[..], "QuantizeLinear" | "DequantizeLinear"));
    of_levels.flat_map(|node| node.input.iter().skip(1)).map(String::as_str).collect()
}

/// What belongs to earlier endpoints.
struct Seen {
    nodes: Vec<bool>,
    weights: HashSet<String>,
}

/// Lists the weights in the order of the file.
fn variables(model: &OnnxModel) -> Vec<Variable> {
    let tensors = model.graph().initializer.iter().filter_map(|bytes| TensorDims::decode(&bytes[..]).ok());
    let variable = |tensor: TensorDims| {
        let shape: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        Variable { name: tensor.name, parameters: count(&shape), shape }
    };
    tensors.map(variable).collect()
}

/// Multiply-adds of a node: each output of a convolution or of a dense layer takes one for each weight of its filter.
pub(super) fn cost(
    node: &NodeProto,
    shapes: &HashMap<String, Vec<usize>>,
    weights: &HashMap<String, Vec<usize>>,
) -> u64 {
    let output = node.output.first().and_then(|name| shapes.get(name));
    let kernel = node.input.get(1).and_then(|name| weights.get(name));
    match (node.op_type.as_str(), output, kernel) {
        ("Conv", Some(output), Some(kernel)) => count(output) * count(&kernel[1..]),
        ("Gemm" | "MatMul", Some(_), Some(kernel)) => count(kernel),
        _ => 0,
    }
}

fn count(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |product: u64, &side| product.saturating_mul(side as u64))
}

/// Returns the shape of one image in TensorFlow's order, in which endpoints are known.
fn channels_last(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [_, channels, height, width] => vec![height, width, channels],
        _ => shape.get(1..).unwrap_or_default().to_vec(),
    }
}
