//! The shapes of a graph's values, inferred node by node without opening a session.

use super::messages::{AttributeProto, NodeProto};
use std::collections::HashMap;

/// Infers the shape of each value from that of the image input, in topological order. A value behind an operator that is
/// not known here has none. `weights` are the shapes of the weights.
pub(super) fn infer(
    nodes: &[NodeProto],
    input: (&str, Vec<usize>),
    weights: &HashMap<String, Vec<usize>>,
) -> HashMap<String, Vec<usize>> {
    let mut shapes = HashMap::from([(input.0.to_string(), input.1)]);
    for node in nodes {
        let inputs: Vec<&Vec<usize>> =
            node.input.iter().map_while(|name| shapes.get(name).or_else(|| weights.get(name))).collect();
        // An input of unknown shape makes the output unknown too.
        let is_known = inputs.len() == node.input.iter().filter(|name| !name.is_empty()).count();
        if let Some(shape) = is_known.then(|| output_shape(node, &inputs)).flatten() {
            shapes.extend(node.output.first().map(|name| (name.clone(), shape)));
        }
    }
    shapes
}

/// Returns the shape of the first output, by the rules of ONNX' operators (opset 17).
pub(super) fn output_shape(node: &NodeProto, inputs: &[&Vec<usize>]) -> Option<Vec<usize>> {
    let first: &[usize] = inputs.first()?;
    match (node.op_type.as_str(), first) {
        ("Conv", &[n, _, height, width]) => {
            let &[filters, _, kernel_height, kernel_width] = &inputs.get(1)?[..] else { return None };
            let [height, width] = window(node, [height, width], [kernel_height, kernel_width])?;
            Some(vec![n, filters, height, width])
        }
        ("MaxPool" | "AveragePool", &[n, channels, height, width]) => {
            let &[kernel_height, kernel_width] = &sizes(node, "kernel_shape")?[..] else { return None };
            let [height, width] = window(node, [height, width], [kernel_height, kernel_width])?;
            Some(vec![n, channels, height, width])
        }
        ("GlobalAveragePool" | "GlobalMaxPool", &[n, channels, ..]) => Some(vec![n, channels, 1, 1]),
        ("Flatten", &[n, ..]) if int(node, "axis", 1) == 1 => Some(vec![n, first[1..].iter().product()]),
        ("Gemm", &[n, _]) => {
            let &[rows, columns] = &inputs.get(1)?[..] else { return None };
            Some(vec![n, if int(node, "transB", 0) == 1 { rows } else { columns }])
        }
        ("MatMul", &[n, _]) => Some(vec![n, *inputs.get(1)?.get(1)?]),
        ("Concat", _) => {
            let axis = usize::try_from(int(node, "axis", -1)).ok().filter(|&axis| axis < first.len())?;
            let mut shape = first.to_vec();
            shape[axis] = inputs.iter().map(|input| input.get(axis).copied()).sum::<Option<usize>>()?;
            Some(shape)
        }
        ("Add" | "Sub" | "Mul" | "Div", _) => {
            inputs.iter().max_by_key(|s| s.iter().product::<usize>()).map(|s| s.to_vec())
        }
        (
            "Relu" | "Clip" | "Sigmoid" | "HardSwish" | "Softmax" | "Identity" | "Dropout" | "Cast"
            | "BatchNormalization" | "QuantizeLinear" | "DequantizeLinear",
            _,
        ) => Some(first.to_vec()),
        _ => None,
    }
}

/// Number of positions of a sliding window along height and width; `None` where it does not fit, or where the padding is
/// described by a rule (`auto_pad`) and not in numbers.
fn window(node: &NodeProto, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
    let of = |name: &str, default: usize, n: usize| sizes(node, name).unwrap_or_else(|| vec![default; n]);
    let (strides, dilations, pads) = (of("strides", 1, 2), of("dilations", 1, 2), of("pads", 0, 4));
    let rounds_up = int(node, "ceil_mode", 0) == 1;
    let positions = |side: usize| {
        let padded = input[side] + pads.get(side)? + pads.get(side + 2)?;
        let reach = (kernel[side].checked_sub(1)?).checked_mul(*dilations.get(side)?)? + 1;
        let (free, stride) = (padded.checked_sub(reach)?, *strides.get(side).filter(|&&stride| stride > 0)?);
        Some(1 + if rounds_up { free.div_ceil(stride) } else { free / stride })
    };
    match attribute(node, "auto_pad") {
        Some(_) => None,
        None => Some([positions(0)?, positions(1)?]),
    }
}

pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

pub(super) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

pub(super) fn sizes(node: &NodeProto, name: &str) -> Option<Vec<usize>> {
    attribute(node, name)?.ints.iter().map(|&value| usize::try_from(value).ok()).collect()
}
