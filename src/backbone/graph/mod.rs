//! ONNX files: building a graph, cutting it at a layer, summarizing it. Only this folder knows ONNX's protobuf messages.

mod builder;
mod graph_summary;
mod messages;
mod model;
mod pixel_input;

pub(super) use builder::GraphBuilder;
pub use graph_summary::{GraphInput, GraphSummary, NodeSummary, graph_summary};
pub(super) use messages::AttributeProto;
pub(super) use model::OnnxModel;
pub use model::{ModelInfo, PREPROCESSING_KEY, inspect};
pub(super) use pixel_input::PIXEL_INPUT;

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
        model.truncate_after("first").unwrap();
        let graph = model.graph();
        assert_eq!((graph.node.len(), graph.initializer.len()), (1, 1));
        assert_eq!(graph.output[0].name, "first");
        let mut whole = OnnxModel::parse(&chain()).unwrap();
        whole.truncate_after("second").unwrap();
        assert_eq!(whole.encode(), chain());
    }

    #[test]
    fn a_file_that_lists_its_weights_as_inputs_can_be_truncated() {
        let mut file = ModelProto::decode(&chain()[..]).unwrap();
        let inputs = &mut file.graph.as_mut().unwrap().input;
        inputs.insert(0, float_value("w", &[Some(1)]));
        inputs.push(float_value("v", &[Some(1)]));
        let mut model = OnnxModel::parse(&file.encode_to_vec()).unwrap();
        assert_eq!(model.input_dims().len(), 4);
        model.truncate_after("first").unwrap();
        assert_eq!(model.graph().input.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["input"]);
    }

    #[test]
    fn the_error_for_an_unknown_layer_lists_the_known_layers() {
        let error = OnnxModel::parse(&chain()).unwrap().truncate_after("third").unwrap_err();
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
