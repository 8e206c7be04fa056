//! ONNX files: building one, and cutting one behind an endpoint. The only place that knows ONNX's protobuf messages.
//! It refuses to know what a network is for.

mod front;
mod messages;
mod outline;

pub(super) use front::PIXELS;
pub use outline::{Outline, OutlineNode, outline};

use crate::error::{Error, Kind, Result};
use messages::{
    Attribute, Dimension, Entry, FLOAT, Graph, INT, INTS, Model, Node, Opset, Shape, Tensor, TensorName,
    TensorType, Type, ValueInfo,
};
use prost::Message;
use std::collections::HashSet;

/// Collects nodes and weights in order; the same calls give the same bytes.
#[derive(Debug, Default)]
pub(super) struct Builder {
    graph: Graph,
}

impl Builder {
    /// A network called `name` with one input `[batch, 3, side, side]` called `input`.
    pub fn new(name: &str, side: usize) -> Self {
        let input = value("input", &[None, Some(3), Some(side), Some(side)]);
        Self { graph: Graph { name: name.into(), input: vec![input], ..Graph::default() } }
    }

    /// Adds a float32 tensor of `dims`.
    pub fn weight(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        assert_eq!(dims.iter().product::<usize>(), values.len(), "{name}");
        let tensor = Tensor {
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: FLOAT,
            name: name.into(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        self.graph.initializer.push(tensor.encode_to_vec());
    }

    /// Adds a node with one output, which also names the node.
    pub fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) {
        let attribute = attributes
            .iter()
            .map(|(name, values)| match SCALARS.contains(name) {
                true => Attribute { name: (*name).into(), i: values[0], kind: INT, ..Attribute::default() },
                false => Attribute {
                    name: (*name).into(),
                    ints: values.to_vec(),
                    kind: INTS,
                    ..Attribute::default()
                },
            })
            .collect();
        let node = Node {
            input: inputs.iter().map(|s| (*s).to_string()).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: op.into(),
            attribute,
        };
        self.graph.node.push(node.encode_to_vec());
    }

    /// Declares an output `[batch, width]`.
    pub fn output(&mut self, name: &str, width: usize) {
        self.graph.output.push(value(name, &[None, Some(width)]));
    }

    /// The bytes of the ONNX file, with `metadata` pairs.
    pub fn finish(self, metadata: &[(&str, &str)]) -> Vec<u8> {
        let entry = |&(key, value): &(&str, &str)| Entry { key: key.into(), value: value.into() };
        Model {
            ir_version: 8,
            producer_name: "headstart".into(),
            graph: Some(self.graph),
            opset_import: vec![Opset { domain: String::new(), version: 17 }],
            metadata: metadata.iter().map(entry).collect(),
            ..Model::default()
        }
        .encode_to_vec()
    }
}

/// Attributes that hold one integer rather than a list.
const SCALARS: [&str; 4] = ["axis", "transB", "count_include_pad", "group"];

fn value(name: &str, dims: &[Option<usize>]) -> ValueInfo {
    let dim = |d: &Option<usize>| Dimension {
        value: d.map(|d| d as i64),
        name: d.is_none().then(|| "batch".to_string()),
    };
    let shape = Shape { dim: dims.iter().map(dim).collect() };
    let tensor = TensorType { element: FLOAT, shape: Some(shape) };
    ValueInfo { name: name.into(), kind: Some(Type { tensor: Some(tensor) }) }
}

/// An ONNX file in memory, open for cutting.
pub(super) struct Network(Model);

impl Network {
    /// Reads the messages.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the bytes are not an ONNX model with an image input.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let fail = |why: &str| Error::new(Kind::Backbone, format!("not a usable ONNX model: {why}"));
        let model = Model::decode(bytes).map_err(|e| fail("the protobuf is damaged").because(e))?;
        let graph = model.graph.as_ref().ok_or_else(|| fail("it holds no graph"))?;
        let weights = initializer_names(graph);
        if graph.input.iter().filter(|input| !weights.contains(&input.name)).count() != 1 {
            return Err(fail("it must have exactly one input, the image"));
        }
        Ok(Self(model))
    }

    fn graph(&self) -> &Graph {
        self.0.graph.as_ref().expect("checked by parse")
    }

    /// The value of a metadata key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// The fixed dimensions of the image input, `None` where they are free.
    pub fn input_dims(&self) -> Vec<Option<usize>> {
        let input = image_input(self.graph()).map(|at| &self.graph().input[at]);
        let shape = input.and_then(|i| i.kind.as_ref()?.tensor.as_ref()?.shape.as_ref());
        let fixed = |d: &Dimension| d.value.filter(|&v| v > 0).map(|v| v as usize);
        shape.map(|s| s.dim.iter().map(fixed).collect()).unwrap_or_default()
    }

    /// The bytes of the ONNX file.
    pub fn encode(self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Makes `layer` the only output and drops the nodes and weights behind it.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when no value of the graph is called `layer`; the remedy lists those that are near.
    pub fn cut(&mut self, layer: &str) -> Result<()> {
        let decode = |bytes: &Vec<u8>| {
            Node::decode(&bytes[..])
                .map_err(|e| Error::new(Kind::Backbone, "a node of the ONNX model is damaged").because(e))
        };
        let nodes: Vec<Node> = self.graph().node.iter().map(decode).collect::<Result<_>>()?;
        if !nodes.iter().any(|node| node.output.iter().any(|name| name == layer)) {
            return Err(unknown_layer(layer, &nodes));
        }
        let weights = initializer_names(self.graph());
        let graph = self.0.graph.as_mut().expect("checked by parse");
        let nested = |n: &Node| n.attribute.iter().any(|a| a.graph.is_some() || !a.graphs.is_empty());
        // Nested graphs use outer values without naming them as inputs: such a file keeps all its nodes.
        if !nodes.iter().any(nested) {
            let mut needed = HashSet::from([layer]);
            let mut keep = vec![false; nodes.len()];
            for (node, keep) in nodes.iter().zip(&mut keep).rev() {
                *keep = node.output.iter().any(|name| needed.contains(name.as_str()));
                if *keep {
                    needed.extend(node.input.iter().map(String::as_str));
                }
            }
            let mut kept = keep.into_iter();
            graph.node.retain(|_| kept.next().unwrap_or(true));
            graph
                .initializer
                .retain(|bytes| tensor_name(bytes).is_none_or(|name| needed.contains(name.as_str())));
        }
        // Old files list their weights among the inputs; what was dropped must not be asked for.
        graph.input.retain(|input| !weights.contains(&input.name));
        let declared = graph.output.iter().find(|output| output.name == layer).cloned();
        graph.output = vec![declared.unwrap_or(ValueInfo { name: layer.into(), kind: None })];
        Ok(())
    }
}

fn unknown_layer(layer: &str, nodes: &[Node]) -> Error {
    let mut names: Vec<&str> = nodes.iter().flat_map(|n| &n.output).map(String::as_str).collect();
    // The graphs built here name inner values with slashes; endpoints have none.
    if names.iter().any(|name| !name.contains('/')) {
        names.retain(|name| !name.contains('/'));
    }
    let shown = names.iter().rev().take(30).rev().copied().collect::<Vec<_>>().join(", ");
    Error::new(Kind::Backbone, format!("the network has no layer called {layer:?}"))
        .help(format!("its last layers are: {shown}"))
}

fn tensor_name(bytes: &[u8]) -> Option<String> {
    TensorName::decode(bytes).ok().map(|tensor| tensor.name)
}

/// The graph's one input that is no weight.
fn image_input(graph: &Graph) -> Option<usize> {
    let weights = initializer_names(graph);
    graph.input.iter().position(|input| !weights.contains(&input.name))
}

fn initializer_names(graph: &Graph) -> HashSet<String> {
    graph.initializer.iter().filter_map(|bytes| tensor_name(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Vec<u8> {
        let mut builder = Builder::new("chain", 8);
        builder.weight("w", &[1, 3, 1, 1], &[1.0, 2.0, 3.0]);
        builder.weight("v", &[1, 1, 1, 1], &[1.0]);
        builder.node("Conv", &["input", "w"], "first", &[("strides", &[1, 1])]);
        builder.node("Conv", &["first", "v"], "second", &[]);
        builder.output("second", 1);
        builder.finish(&[("key", "value")])
    }

    #[test]
    fn cutting_drops_what_stands_behind_and_keeps_the_rest() {
        let mut network = Network::parse(&chain()).unwrap();
        assert_eq!(network.metadata("key"), Some("value"));
        assert_eq!(network.input_dims(), [None, Some(3), Some(8), Some(8)]);
        network.cut("first").unwrap();
        let graph = network.graph();
        assert_eq!((graph.node.len(), graph.initializer.len()), (1, 1));
        assert_eq!(graph.output[0].name, "first");
        let mut whole = Network::parse(&chain()).unwrap();
        whole.cut("second").unwrap();
        assert_eq!(whole.encode(), chain());
    }

    #[test]
    fn a_file_that_lists_its_weights_as_inputs_can_be_cut() {
        let mut model = Model::decode(&chain()[..]).unwrap();
        let inputs = &mut model.graph.as_mut().unwrap().input;
        inputs.insert(0, value("w", &[Some(1)]));
        inputs.push(value("v", &[Some(1)]));
        let mut network = Network::parse(&model.encode_to_vec()).unwrap();
        assert_eq!(network.input_dims().len(), 4);
        network.cut("first").unwrap();
        assert_eq!(network.graph().input.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["input"]);
    }

    #[test]
    fn an_outline_tells_nodes_and_shapes_without_weights() {
        let told = outline(&chain(), "second").unwrap();
        assert_eq!((&told.name[..], &told.input), ("chain", &("input".into(), vec![-1, 3, 8, 8])));
        let [first, second] = &told.nodes[..] else { panic!("{told:?}") };
        assert_eq!((&first.op[..], &first.weight[..]), ("Conv", &[1, 3, 1, 1][..]));
        assert_eq!(
            (&first.settings[..], &second.inputs[0][..]),
            (&[("strides".into(), vec![1, 1])][..], "first")
        );
        assert_eq!(outline(&chain(), "first").unwrap().nodes.len(), 1);
    }

    #[test]
    fn an_unknown_layer_is_an_error_that_lists_the_known_ones() {
        let error = Network::parse(&chain()).unwrap().cut("third").unwrap_err();
        assert!(error.remedy().unwrap().contains("first, second"), "{error:?}");
    }

    #[test]
    fn rubbish_is_not_a_model() {
        assert!(Network::parse(b"not a model").is_err());
        assert!(Network::parse(b"").is_err());
        assert!(Network::parse(&chain()[..40]).is_err());
    }
}
