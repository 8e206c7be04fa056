//! Writes a new ONNX file, node by node. The same calls give the same bytes.

use super::messages::{
    AttributeProto, DimensionProto, FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

/// Collects the nodes and weights of a new graph, in order.
#[derive(Debug, Default)]
pub(in crate::backbone) struct GraphBuilder {
    graph: GraphProto,
}

impl GraphBuilder {
    /// Starts a graph called `name` whose one input `input` is float32 `[batch, 3, side, side]`.
    pub fn new(name: &str, side: usize) -> Self {
        let input = float_value("input", &[None, Some(3), Some(side), Some(side)]);
        Self { graph: GraphProto { name: name.into(), input: vec![input], ..GraphProto::default() } }
    }

    /// Adds a float32 weight of shape `dims`.
    ///
    /// # Panics
    /// When the number of `values` is not the product of `dims`.
    pub fn weight(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        assert_eq!(dims.iter().product::<usize>(), values.len(), "{name}");
        let tensor = TensorProto {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: FLOAT,
            name: name.into(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        self.graph.initializer.push(tensor.encode_to_vec());
    }

    /// Adds a node with one output, which is also the name of the node.
    pub fn node(&mut self, op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) {
        self.graph.node.push(encoded_node(op, inputs, output, attribute));
    }

    /// Declares a float32 output `[batch, width]`.
    pub fn output(&mut self, name: &str, width: usize) {
        self.graph.output.push(float_value(name, &[None, Some(width)]));
    }

    /// Returns the bytes of the ONNX file, with `metadata` as pairs of key and value.
    pub fn finish(self, metadata: &[(&str, &str)]) -> Vec<u8> {
        let entry =
            |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
        ModelProto {
            ir_version: 8,
            producer_name: "headstart".into(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
            metadata: metadata.iter().map(entry).collect(),
            ..ModelProto::default()
        }
        .encode_to_vec()
    }
}

/// Encodes a node with one output, which is also the name of the node.
pub(super) fn encoded_node(
    op: &str,
    inputs: &[&str],
    output: &str,
    attribute: Vec<AttributeProto>,
) -> Vec<u8> {
    let input = inputs.iter().map(|s| (*s).to_string()).collect();
    let (output, name) = (vec![output.into()], output.into());
    NodeProto { input, output, name, op_type: op.into(), attribute, domain: String::new() }.encode_to_vec()
}

/// Describes a float32 value; `None` stands for the batch dimension.
pub(super) fn float_value(name: &str, dims: &[Option<usize>]) -> ValueInfoProto {
    let dims: Vec<Dim> = dims.iter().map(|d| d.map_or(Dim::Open("batch"), Dim::Fixed)).collect();
    typed_value(name, FLOAT, &dims)
}

/// A dimension of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dim {
    Fixed(usize),
    /// Any size, under a name: dimensions of one name have one size.
    Open(&'static str),
}

/// Describes a value of the data type `element`.
pub(super) fn typed_value(name: &str, element: i32, dims: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| match *dim {
        Dim::Fixed(size) => DimensionProto { value: Some(size as i64), name: None },
        Dim::Open(name) => DimensionProto { value: None, name: Some(name.into()) },
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { element, shape: Some(shape) };
    ValueInfoProto { name: name.into(), kind: Some(TypeProto { tensor: Some(tensor) }) }
}
