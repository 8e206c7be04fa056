//! Turns a network of 32-bit floats into one that computes with 16-bit floats, for GPUs.

use super::builder::encoded_node;
use super::messages::{AttributeProto, FLOAT, FLOAT16, NodeValues, StringStringEntryProto, TensorProto};
use super::model::{OnnxModel, image_input};
use crate::error::{Error, Kind, Result};
use prost::Message;

/// Operators whose inputs and outputs are all of one type of floats, so that weights of 16 bits make values of 16 bits.
const OPERATORS: [&str; 22] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Clip",
    "Concat",
    "Conv",
    "Dropout",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Relu",
    "Sigmoid",
    "Softmax",
    "Sub",
];

/// A network of 16-bit floats.
pub(in crate::backbone) struct HalfNetwork {
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// Number of its convolutions.
    pub convolutions: usize,
}

/// Rounds the weights of the ONNX file `bytes` to 16 bits, with `metadata` instead of entries of the same keys. The image
/// enters as 32-bit floats, and every value behind it has 16 bits.
///
/// # Errors
/// [`Kind::Backbone`] when it is no usable network, has an operator that is not known to compute so, or a weight too large.
pub(in crate::backbone) fn to_half(bytes: &[u8], metadata: &[(&str, &str)]) -> Result<HalfNetwork> {
    let mut model = OnnxModel::parse(bytes)?;
    let nodes = model.nodes()?;
    if let Some(other) = nodes.iter().find(|n| !n.domain.is_empty() || !OPERATORS.contains(&&n.op_type[..])) {
        let message = format!("the operator {} is not known to compute with 16-bit floats", other.op_type);
        return Err(Error::new(Kind::Backbone, message)
            .help("export the network in 16-bit floats with the program that made it"));
    }
    let graph = model.graph_mut();
    for bytes in &mut graph.initializer {
        *bytes = half_weight(bytes)?;
    }
    let at =
        image_input(graph).ok_or_else(|| Error::new(Kind::Backbone, "the network has no image input"))?;
    let image = graph.input[at].name.clone();
    let half_image = format!("{image}/float16");
    for bytes in &mut graph.node {
        let mut node = NodeValues::decode(&bytes[..])
            .map_err(|e| Error::new(Kind::Backbone, "a node of the ONNX model is damaged").because(e))?;
        node.input.iter_mut().filter(|name| **name == image).for_each(|name| name.clone_from(&half_image));
        *bytes = node.encode_to_vec();
    }
    let to = AttributeProto::int("to", i64::from(FLOAT16));
    graph.node.insert(0, encoded_node("Cast", &[&image], &half_image, vec![to]));
    graph.value_info.clear();
    // Old files list their weights among the inputs, with the type that they had.
    graph.input.swap(0, at);
    graph.input.truncate(1);
    let outputs = graph.output.iter_mut().filter_map(|output| output.kind.as_mut()?.tensor.as_mut());
    outputs.filter(|tensor| tensor.element == FLOAT).for_each(|tensor| tensor.element = FLOAT16);
    let file = model.file_mut();
    for (key, value) in metadata {
        file.metadata.retain(|old| old.key != *key);
        file.metadata.push(StringStringEntryProto { key: (*key).into(), value: (*value).into() });
    }
    let convolutions = nodes.iter().filter(|node| node.op_type == "Conv").count();
    Ok(HalfNetwork { onnx: model.encode(), convolutions })
}

/// An encoded weight with its 32-bit floats rounded; one of another type as it is.
fn half_weight(bytes: &[u8]) -> Result<Vec<u8>> {
    let damaged = |e| Error::new(Kind::Backbone, "a weight of the ONNX model is damaged").because(e);
    let mut tensor = TensorProto::decode(bytes).map_err(damaged)?;
    if tensor.data_type != FLOAT {
        return Ok(bytes.to_vec());
    }
    let count = tensor.dims.iter().product::<i64>();
    if tensor.raw_data.len() as i64 != 4 * count {
        let message = format!("the weight {} is stored in a form that is not read here", tensor.name);
        return Err(Error::new(Kind::Backbone, message));
    }
    let floats = tensor.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let halves: Vec<u16> = floats.clone().map(half).collect();
    if floats.zip(&halves).any(|(float, half)| float.is_finite() && half & 0x7c00 == 0x7c00) {
        let message = format!("the weight {} has values too large for 16-bit floats", tensor.name);
        return Err(Error::new(Kind::Backbone, message));
    }
    tensor.raw_data = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
    tensor.data_type = FLOAT16;
    Ok(tensor.encode_to_vec())
}

/// Rounds a float to 16 bits (IEEE 754 binary16), to the nearest value and ties to even.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude >= 0x7f80_0000 {
        return sign | 0x7c00 | if magnitude > 0x7f80_0000 { 0x200 } else { 0 };
    }
    // The values that lie on the grid of the result, 2^-24 below 2^-14, and coarser by the exponent above.
    let exponent = (magnitude >> 23) as i32 - 127;
    let step = f64::from(exponent.max(-14) - 10).exp2();
    let levels = (f64::from(f32::from_bits(magnitude)) / step).round_ties_even() as u32;
    // A level of 2048 carries into the exponent, as the encoding wants it.
    let base = if exponent < -14 { 0 } else { ((exponent + 14) as u32) << 10 };
    sign | (base + levels).min(0x7c00) as u16
}

#[cfg(test)]
mod tests {
    use super::super::GraphBuilder;
    use super::*;

    /// The value of a 16-bit float, from the definition.
    fn value(half: u16) -> f64 {
        let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 0x3ff));
        match exponent {
            0 => sign * fraction * (-24f64).exp2(),
            31 if fraction == 0.0 => sign * f64::INFINITY,
            31 => f64::NAN,
            _ => sign * (1.0 + fraction / 1024.0) * f64::from(exponent - 15).exp2(),
        }
    }

    #[test]
    fn every_value_of_16_bits_is_kept_and_those_between_go_to_the_nearest() {
        for bits in 0..0x7c00u16 {
            let here = value(bits);
            assert_eq!(half(here as f32), bits, "{here}");
            assert_eq!(half(-here as f32), bits | 0x8000, "-{here}");
            let next = if bits == 0x7bff { 65536.0 } else { value(bits + 1) };
            let middle = ((here + next) / 2.0) as f32;
            let even = if bits % 2 == 0 { bits } else { bits + 1 };
            assert_eq!(half(middle), even, "between {here} and {next}");
            assert_eq!((half(middle.next_down()), half(middle.next_up())), (bits, bits + 1));
        }
        assert_eq!((half(1e30), half(f32::INFINITY), half(f32::NEG_INFINITY)), (0x7c00, 0x7c00, 0xfc00));
        assert!(value(half(f32::NAN)).is_nan());
        assert_eq!((half(1e-30), half(-0.0)), (0, 0x8000));
    }

    fn network(weight: f32, op: &str) -> Vec<u8> {
        let mut graph = GraphBuilder::new("tiny", 4);
        graph.weight("w", &[2, 3, 1, 1], &[weight, 0.5, -0.25, 1.0, 0.125, 2.0]);
        graph.node("Conv", &["input", "w"], "conv", Vec::new());
        graph.node(op, &["conv"], "out", Vec::new());
        graph.output("out", 2);
        graph.finish(&[])
    }

    #[test]
    fn weights_become_16_bit_floats_and_the_image_stays() {
        let made = to_half(&network(0.1, "Relu"), &[("headstart.title", "t")]).unwrap();
        assert_eq!(made.convolutions, 1);
        let model = OnnxModel::parse(&made.onnx).unwrap();
        let nodes = model.nodes().unwrap();
        let ops: Vec<&str> = nodes.iter().map(|node| node.op_type.as_str()).collect();
        assert_eq!(ops, ["Cast", "Conv", "Relu"]);
        assert_eq!(nodes[1].input[0], nodes[0].output[0]);
        assert_eq!((model.graph().input[0].element(), model.graph().output[0].element()), (FLOAT, FLOAT16));
        let weight = TensorProto::decode(&model.graph().initializer[0][..]).unwrap();
        assert_eq!((weight.data_type, &weight.raw_data[..4]), (FLOAT16, &[0x66, 0x2e, 0x00, 0x38][..]));
        assert_eq!(model.metadata("headstart.title"), Some("t"));
    }

    #[test]
    fn unknown_operators_and_weights_too_large_are_refused() {
        let refused = |weight, op| to_half(&network(weight, op), &[]).err().unwrap().to_string();
        assert!(refused(0.1, "Erf").contains("the operator Erf"));
        assert!(refused(70000.0, "Relu").contains("too large"));
    }
}
