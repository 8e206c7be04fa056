//! A front for a network: bytes instead of floats at its input, scaled inside. A byte is a quarter of a float on its way to
//! the device, and the network's own threads do the arithmetic.

use super::messages::{Attribute, FLOAT, INT, Node, Tensor, UINT8};
use super::{Network, image_input};
use crate::preprocess::Arithmetic;
use prost::Message;

/// The input of a network with a front.
pub(in crate::backbone) const PIXELS: &str = "headstart/pixels";

impl Network {
    /// Makes the input one of bytes, of which `steps` make the floats that the network was built for.
    pub fn take_bytes(&mut self, steps: &[Arithmetic]) {
        let graph = self.0.graph.as_mut().expect("checked by parse");
        let at = image_input(graph).expect("checked by parse");
        let input = &mut graph.input[at];
        let floats = std::mem::replace(&mut input.name, PIXELS.into());
        if let Some(tensor) = input.kind.as_mut().and_then(|kind| kind.tensor.as_mut()) {
            tensor.element = UINT8;
        }
        let name = |step: usize| match step == steps.len() {
            true => floats.clone(),
            false => format!("{PIXELS}/{step}"),
        };
        let to_float =
            Attribute { name: "to".into(), i: i64::from(FLOAT), kind: INT, ..Attribute::default() };
        let mut front = vec![node("Cast", vec![PIXELS.into()], name(0), vec![to_float])];
        for (i, step) in steps.iter().enumerate() {
            let (op, by) = match step {
                Arithmetic::Divide(by) => ("Div", by),
                Arithmetic::Subtract(by) => ("Sub", by),
            };
            let number = format!("{PIXELS}/by{i}");
            front.push(node(op, vec![name(i), number.clone()], name(i + 1), Vec::new()));
            graph.initializer.push(by_channel(number, by));
        }
        graph.node.splice(..0, front);
    }
}

fn node(op: &str, input: Vec<String>, output: String, attribute: Vec<Attribute>) -> Vec<u8> {
    Node { input, name: output.clone(), output: vec![output], op_type: op.into(), attribute }.encode_to_vec()
}

/// A number for each channel, in a shape that spreads over positions and images.
fn by_channel(name: String, values: &[f32; 3]) -> Vec<u8> {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor { dims: vec![1, 3, 1, 1], data_type: FLOAT, name, raw_data }.encode_to_vec()
}
