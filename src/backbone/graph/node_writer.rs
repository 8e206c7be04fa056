//! Writes nodes that compute one value from another, for putting them before or behind an existing graph.

use super::builder::encoded_node;
use super::messages::{AttributeProto, DOUBLE, FLOAT, GraphProto, INT64, TensorProto};
use prost::Message;

/// Collects nodes and constants. Values without a name of their own get numbered names below a prefix.
#[derive(Debug)]
pub(super) struct NodeWriter {
    prefix: &'static str,
    /// Version of ONNX' operators in the graph that the nodes are for.
    opset: i64,
    nodes: Vec<Vec<u8>>,
    constants: Vec<Vec<u8>>,
    values: usize,
}

impl NodeWriter {
    pub fn new(prefix: &'static str, opset: i64) -> Self {
        Self { prefix, opset, nodes: Vec::new(), constants: Vec::new(), values: 0 }
    }

    /// Adds a node and returns the name of its output.
    pub fn op(&mut self, op: &str, inputs: &[&str]) -> String {
        self.op_with(op, inputs, Vec::new())
    }

    /// Adds a node with attributes and returns the name of its output.
    pub fn op_with(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let output = self.next_name();
        self.named(op, inputs, &output, attributes);
        output
    }

    /// Adds a node whose output is called `output`.
    pub fn named(&mut self, op: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) {
        self.nodes.push(encoded_node(op, inputs, output, attributes));
    }

    /// Adds a conversion to the data type `element`.
    pub fn cast(&mut self, from: &str, element: i32) -> String {
        self.op_with("Cast", &[from], vec![AttributeProto::int("to", i64::from(element))])
    }

    /// Adds a `ReduceMin` or `ReduceMax` over the last of two dimensions, which takes its axis otherwise since opset 18.
    pub fn reduce_rows(&mut self, op: &str, from: &str, keeps_dimension: bool) -> String {
        let keep = AttributeProto::int("keepdims", i64::from(keeps_dimension));
        if self.opset >= 18 {
            let axis = self.ints(&[1], &[1]);
            return self.op_with(op, &[from, &axis], vec![keep]);
        }
        self.op_with(op, &[from], vec![AttributeProto::ints("axes", &[1]), keep])
    }

    /// Adds a constant of 32-bit floats.
    pub fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(FLOAT, dims, raw_data)
    }

    /// Adds a constant of 64-bit floats.
    pub fn doubles(&mut self, dims: &[usize], values: &[f64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DOUBLE, dims, raw_data)
    }

    /// Adds a constant of 64-bit integers.
    pub fn ints(&mut self, dims: &[usize], values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(INT64, dims, raw_data)
    }

    fn constant(&mut self, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> String {
        let name = self.next_name();
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        self.constants.push(TensorProto { dims, data_type, name: name.clone(), raw_data }.encode_to_vec());
        name
    }

    fn next_name(&mut self) -> String {
        self.values += 1;
        format!("{}/{}", self.prefix, self.values)
    }

    /// Puts the nodes before those of `graph`.
    pub fn put_before(self, graph: &mut GraphProto) {
        graph.node.splice(..0, self.nodes);
        graph.initializer.extend(self.constants);
    }

    /// Puts the nodes behind those of `graph`.
    pub fn put_behind(self, graph: &mut GraphProto) {
        graph.node.extend(self.nodes);
        graph.initializer.extend(self.constants);
    }
}
