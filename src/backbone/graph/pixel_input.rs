//! Replaces a graph's normalized input by pixel values from 0 to 255, with the normalization inside the graph. A byte is a
//! quarter of a float on its way to the device, and the network's own threads do the arithmetic.

use super::builder::encoded_node;
use super::messages::{AttributeProto, FLOAT, TensorProto, UINT8};
use super::model::{OnnxModel, image_input};
use crate::data::preprocess::{Arithmetic, ValueType};
use prost::Message;

/// The name of the input of pixel values.
pub(in crate::backbone) const PIXEL_INPUT: &str = "headstart/pixels";

impl OnnxModel {
    /// Makes the image input take pixel values of type `value`. Cast and arithmetic nodes apply `steps` to turn them into
    /// the floats that the network was built for.
    pub fn use_pixel_input(&mut self, value: ValueType, steps: &[Arithmetic]) {
        let graph = self.graph_mut();
        let at = image_input(graph).expect("checked by parse");
        let input = &mut graph.input[at];
        let floats = std::mem::replace(&mut input.name, PIXEL_INPUT.into());
        if let Some(tensor) = input.kind.as_mut().and_then(|kind| kind.tensor.as_mut()) {
            tensor.element = match value {
                ValueType::Uint8 => UINT8,
                _ => FLOAT,
            };
        }
        let name = |step: usize| match step == steps.len() {
            true => floats.clone(),
            false => format!("{PIXEL_INPUT}/{step}"),
        };
        let to_float = AttributeProto::int("to", i64::from(FLOAT));
        let mut scaling = vec![encoded_node("Cast", &[PIXEL_INPUT], &name(0), vec![to_float])];
        for (i, step) in steps.iter().enumerate() {
            let (op, operand) = match step {
                Arithmetic::Divide(operand) => ("Div", operand),
                Arithmetic::Subtract(operand) => ("Sub", operand),
            };
            let operand_name = format!("{PIXEL_INPUT}/by{i}");
            scaling.push(encoded_node(op, &[&name(i), &operand_name], &name(i + 1), Vec::new()));
            graph.initializer.push(per_channel(operand_name, operand));
        }
        graph.node.splice(..0, scaling);
    }
}

/// Encodes one value per channel in the shape `[1, 3, 1, 1]`, which broadcasts over images and positions.
fn per_channel(name: String, values: &[f32; 3]) -> Vec<u8> {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorProto { dims: vec![1, 3, 1, 1], data_type: FLOAT, name, raw_data }.encode_to_vec()
}
