//! ONNX files: building a graph, cutting it at a layer, summarizing it. Only this folder knows ONNX's protobuf messages.

mod builder;
mod classifier;
mod endpoints;
mod float64;
mod graph_summary;
mod half;
mod label;
mod messages;
mod model;
mod node_writer;
mod operators;
mod picture_input;
mod pixel_input;
mod pooled_map;
mod pooling;
mod quantize;
mod shapes;
mod standard;

pub(super) use builder::GraphBuilder;
pub use classifier::{
    CLASSIFIER_PRODUCER, ClassifierInput, ClassifierParts, DISTANCE, FEATURES, INPUT, IS_KNOWN, LABEL_INDEX,
    PROBABILITIES, classifier, is_classifier,
};
pub use endpoints::{Endpoint, NetworkSummary, Variable, network_summary};
pub use float64::evaluate_float64;
pub use graph_summary::{GraphInput, GraphSummary, NodeSummary, graph_summary};
pub(super) use half::{HalfNetwork, to_half};
pub(super) use messages::AttributeProto;
pub(super) use model::OnnxModel;
pub use model::{ModelInfo, PREPROCESSING_KEY, inspect};
pub(super) use operators::Operators;
pub(super) use pixel_input::PIXEL_INPUT;
pub use pooled_map::pooled_map;
pub use pooling::Pool;
pub(super) use quantize::{Calibrated, IntegerNetwork, Observed, Quantizer, WEIGHT_BITS_KEY};
pub(super) use standard::{ModelSettings, standardize};

#[cfg(test)]
mod tests {
    use super::builder::float_value;
    use super::messages::ModelProto;
    use super::*;
    use prost::Message;

    /// Two convolutions in a row, `first` and `second`.
    fn chain() -> Vec<u8> {
        let mut builder = GraphBuilder::new("chain", 8);
        builder.weight("w", &[1, 3, 1, 1], &[1.0, 2.0, 3.0]);
        builder.weight("v", &[1, 1, 1, 1], &[1.0]);
        let strides = AttributeProto::ints("strides", &[1, 1]);
        builder.node("Conv", &["input", "w"], "first", vec![strides]);
        builder.node("Conv", &["first", "v"], "second", Vec::new());
        builder.output("second", 1);
        builder.finish(&[("key", "value")])
    }

    #[test]
    fn truncating_removes_what_follows_the_layer_and_keeps_the_rest() {
        let mut model = OnnxModel::parse(&chain()).unwrap();
        assert_eq!(model.metadata("key"), Some("value"));
        assert_eq!(model.input_dims(), [None, Some(3), Some(8), Some(8)]);
        model.truncate_after(&["first"]).unwrap();
        let graph = model.graph();
        assert_eq!((graph.node.len(), graph.initializer.len()), (1, 1));
        assert_eq!(graph.output[0].name, "first");
        let mut whole = OnnxModel::parse(&chain()).unwrap();
        whole.truncate_after(&["second"]).unwrap();
        assert_eq!(whole.encode(), chain());
    }

    #[test]
    fn several_layers_become_outputs_in_the_order_of_their_names() {
        let outputs_of_all = |texts: &[&str]| {
            let mut model = OnnxModel::parse(&chain()).unwrap();
            model.truncate_after(texts).map(|places| {
                let outputs = &model.graph().output;
                (outputs.iter().map(|output| output.name.clone()).collect::<Vec<_>>(), places)
            })
        };
        let outputs = |layers: &str| outputs_of_all(&[layers]).map(|(outputs, _)| outputs);
        assert_eq!(outputs("second+first").unwrap(), ["second", "first"]);
        let (outputs_of_three, places) = outputs_of_all(&["first", "second+first", "second"]).unwrap();
        assert_eq!(outputs_of_three, ["first", "second"], "each layer is one output");
        assert_eq!(places, [vec![0], vec![1, 0], vec![1]]);
        let error = outputs("first+third").unwrap_err();
        assert!(error.to_string().contains("no layer called \"third\""), "{error}");
        assert!(outputs("first+").unwrap_err().to_string().contains("no layer called \"\""));
        assert!(outputs("first+first").unwrap_err().to_string().contains("names first twice"));
    }

    #[test]
    fn the_cost_of_each_endpoint_is_that_of_the_nodes_before_it() {
        let summary = network_summary(&chain(), 8).unwrap();
        let [first, second] = &summary.endpoints[..] else { panic!("{summary:?}") };
        assert_eq!((first.name.as_str(), &first.shape), ("first", &Some(vec![8, 8, 1])));
        assert_eq!((first.parameters, first.multiply_adds), (3, 3 * 64));
        assert_eq!((second.parameters, second.multiply_adds), (1, 64));
        assert_eq!((summary.parameters, summary.multiply_adds), (4, 4 * 64));
        assert_eq!(summary.variables[0].shape, [1, 3, 1, 1]);
    }

    #[test]
    fn windows_strides_and_padding_give_the_shapes_that_onnx_defines() {
        let shape = |op: &str, attributes: Vec<AttributeProto>| {
            let mut builder = GraphBuilder::new("one", 9);
            builder.weight("w", &[2, 3, 3, 3], &[0.0; 54]);
            let inputs: &[&str] = if op == "Conv" { &["input", "w"] } else { &["input"] };
            builder.node(op, inputs, "out", attributes);
            network_summary(&builder.finish(&[]), 9).unwrap().endpoints[0].shape.clone()
        };
        let ints = AttributeProto::ints;
        assert_eq!(shape("Conv", vec![ints("strides", &[2, 2])]), Some(vec![4, 4, 2]));
        assert_eq!(shape("Conv", vec![ints("pads", &[1, 0, 1, 2])]), Some(vec![9, 9, 2]));
        assert_eq!(shape("Conv", vec![ints("dilations", &[2, 1])]), Some(vec![5, 7, 2]));
        let pool = |ceil| {
            let strides = ints("strides", &[4, 4]);
            vec![ints("kernel_shape", &[3, 3]), strides, AttributeProto::int("ceil_mode", ceil)]
        };
        assert_eq!(shape("MaxPool", pool(0)), Some(vec![2, 2, 3]));
        assert_eq!(shape("MaxPool", pool(1)), Some(vec![3, 3, 3]));
        assert_eq!(shape("Conv", vec![ints("strides", &[0, 0])]), None);
        assert_eq!(shape("Conv", vec![ints("dilations", &[9, 9])]), None, "the window does not fit");
        assert_eq!(shape("Flatten", Vec::new()), Some(vec![243]));
        assert_eq!(shape("Unknown", Vec::new()), None);
    }

    #[test]
    fn a_file_that_lists_its_weights_as_inputs_can_be_truncated() {
        let mut file = ModelProto::decode(&chain()[..]).unwrap();
        let inputs = &mut file.graph.as_mut().unwrap().input;
        inputs.insert(0, float_value("w", &[Some(1)]));
        inputs.push(float_value("v", &[Some(1)]));
        let mut model = OnnxModel::parse(&file.encode_to_vec()).unwrap();
        assert_eq!(model.input_dims().len(), 4);
        model.truncate_after(&["first"]).unwrap();
        assert_eq!(model.graph().input.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["input"]);
    }

    #[test]
    fn the_error_for_an_unknown_layer_lists_the_known_layers() {
        let error = OnnxModel::parse(&chain()).unwrap().truncate_after(&["third"]).unwrap_err();
        assert!(error.remedy().unwrap().contains("first, second"), "{error:?}");
    }

    #[test]
    fn random_bytes_are_not_a_model() {
        assert!(OnnxModel::parse(b"not a model").is_err());
        assert!(OnnxModel::parse(b"").is_err());
        assert!(OnnxModel::parse(&chain()[..40]).is_err());
    }

    #[test]
    fn a_summary_has_nodes_and_shapes_but_no_weights() {
        let summary = graph_summary(&chain(), "second").unwrap();
        assert_eq!((&summary.name[..], &summary.input.name[..]), ("chain", "input"));
        assert_eq!(summary.input.shape, [-1, 3, 8, 8]);
        let [first, second] = &summary.nodes[..] else { panic!("{summary:?}") };
        assert_eq!((&first.op[..], &first.weight_shape[..]), ("Conv", &[1, 3, 1, 1][..]));
        assert_eq!(
            (&first.attributes[..], &second.inputs[0][..]),
            (&[("strides".into(), vec![1, 1])][..], "first")
        );
        assert_eq!(graph_summary(&chain(), "first").unwrap().nodes.len(), 1);
    }
}
