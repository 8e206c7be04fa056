//! A graph as quantization reads it: who reads which value, and the float weights.

use super::weights::Kernel;
use crate::backbone::graph::messages::{
    FLOAT, GraphProto, NodeProto, NodeValues, TensorDims, TensorName, TensorProto,
};
use crate::backbone::graph::model::{OnnxModel, image_input};
use crate::backbone::graph::shapes::int;
use crate::error::{Error, Kind, Result};
use prost::Message;
use std::collections::{HashMap, HashSet};

/// A graph, decoded for reading.
pub(super) struct Network<'a> {
    pub nodes: Vec<NodeProto>,
    /// The image input.
    pub image: String,
    readers: HashMap<String, Vec<usize>>,
    outputs: HashSet<String>,
    /// The encoded weights by name.
    weights: HashMap<String, &'a [u8]>,
}

impl<'a> Network<'a> {
    pub fn of(model: &'a OnnxModel) -> Result<Self> {
        let graph = model.graph();
        let nodes = model.nodes()?;
        let mut readers: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            node.input.iter().for_each(|input| readers.entry(input.clone()).or_default().push(at));
        }
        Ok(Self {
            image: image_input(graph).map_or(String::new(), |at| graph.input[at].name.clone()),
            outputs: graph.output.iter().map(|output| output.name.clone()).collect(),
            weights: graph.initializer.iter().map(|bytes| (tensor_name(bytes), &bytes[..])).collect(),
            nodes,
            readers,
        })
    }

    /// The node that alone reads `value`, which is no output of the network.
    pub fn only_reader(&self, value: &str) -> Option<usize> {
        match self.readers.get(value).map(Vec::as_slice) {
            Some(&[reader]) if !self.outputs.contains(value) => Some(reader),
            _ => None,
        }
    }

    /// Number of inputs of nodes that take `value`.
    pub fn uses(&self, value: &str) -> usize {
        self.readers.get(value).map_or(0, Vec::len)
    }

    /// Whether `name` is a weight.
    pub fn is_weight(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// The shape of each weight.
    pub fn weight_shapes(&self) -> HashMap<String, Vec<usize>> {
        let shape = |bytes: &[u8]| {
            let dims = TensorDims::decode(bytes).map(|tensor| tensor.dims).unwrap_or_default();
            dims.into_iter().map(|dim| usize::try_from(dim).unwrap_or(0)).collect()
        };
        self.weights.iter().map(|(name, bytes)| (name.clone(), shape(bytes))).collect()
    }

    /// The channels that enter `node`, if it is a convolution that sees one position and all channels of its input.
    pub fn pointwise_channels(&self, node: &NodeProto) -> Option<usize> {
        let kernel = if node.op_type == "Conv" { self.kernel(node.input.get(1)?)? } else { return None };
        let groups = usize::try_from(int(node, "group", 1)).ok()?;
        kernel.is_pointwise(groups).then(|| kernel.dims[1])
    }

    /// The weight called `name`, if it is of 32-bit floats.
    pub fn kernel(&self, name: &str) -> Option<Kernel> {
        let tensor = TensorProto::decode(*self.weights.get(name)?).ok().filter(|t| t.data_type == FLOAT)?;
        let dims: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let floats = tensor.raw_data.chunks_exact(4);
        let values: Vec<f32> = floats.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let is_whole = !values.is_empty() && values.len() == dims.iter().product::<usize>();
        is_whole.then_some(Kernel { dims, values })
    }
}

/// The nodes, decoded for editing.
pub(super) fn edited(graph: &GraphProto) -> Result<Vec<NodeValues>> {
    let damaged = |e| Error::new(Kind::Backbone, "a node of the ONNX model is damaged").because(e);
    graph.node.iter().map(|bytes| NodeValues::decode(&bytes[..]).map_err(damaged)).collect()
}

/// The name of an encoded weight.
pub(super) fn tensor_name(bytes: &[u8]) -> String {
    TensorName::decode(bytes).map(|tensor| tensor.name).unwrap_or_default()
}

/// Encodes a weight of 32-bit floats.
pub(super) fn float_tensor(name: &str, dims: &[usize], values: &[f32]) -> Vec<u8> {
    tensor(name, FLOAT, dims, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// Encodes a weight.
pub(super) fn tensor(name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> Vec<u8> {
    let dims = dims.iter().map(|&dim| dim as i64).collect();
    TensorProto { dims, data_type, name: name.into(), raw_data }.encode_to_vec()
}
