//! Computes a graph in float64, plainly and without ONNX Runtime: the reference that an answer is compared with. It knows
//! the operators of the graphs that are built here.

use super::messages::{FLOAT, NodeProto, TensorProto};
use super::model::{OnnxModel, endpoint_names, image_input};
use super::shapes::{attribute, int, output_shape, sizes};
use crate::error::{Error, Kind, Result};
use crate::math::parallel::in_parallel;
use prost::Message;
use std::collections::HashMap;

/// A value of the graph for one image.
#[derive(Debug, Clone)]
struct Array {
    /// `[1, channels, height, width]` or `[1, width]`; of a weight, that of the file.
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// Computes every endpoint of `model` for one image, `[3, side, side]` and already normalized. Calls `found` with the name
/// and the values of each.
///
/// # Errors
/// [`Kind::Backbone`] when the model is damaged, or has an operator that is not known here.
pub fn evaluate_float64(
    model: &[u8],
    image: &[f32],
    threads: usize,
    found: &mut dyn FnMut(&str, &[f64]),
) -> Result<()> {
    let model = OnnxModel::parse(model)?;
    let nodes = model.nodes()?;
    let endpoints = endpoint_names(&nodes);
    let input = image_input(model.graph()).map_or("", |at| model.graph().input[at].name.as_str());
    let side = (image.len() / 3).isqrt();
    let image = image.iter().map(|&value| f64::from(value)).collect();
    let mut values =
        HashMap::from([(input.to_string(), Array { shape: vec![1, 3, side, side], values: image })]);
    let weights = Weights::of(&model);
    let mut uses = uses(&nodes);
    for node in &nodes {
        let output = compute(node, &values, &weights, threads)?;
        let name = node.output.first().map_or("", String::as_str);
        if endpoints.contains(&name) {
            found(name, &output.values);
        }
        for input in &node.input {
            let left = uses.entry(input.as_str()).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                values.remove(input);
            }
        }
        values.insert(name.to_string(), output);
    }
    Ok(())
}

/// How many nodes read each value.
fn uses(nodes: &[NodeProto]) -> HashMap<&str, usize> {
    let mut uses = HashMap::new();
    for input in nodes.iter().flat_map(|node| &node.input) {
        *uses.entry(input.as_str()).or_default() += 1;
    }
    uses
}

/// The encoded weights by name.
struct Weights<'a>(HashMap<String, &'a [u8]>);

impl<'a> Weights<'a> {
    fn of(model: &'a OnnxModel) -> Self {
        let name = |bytes: &[u8]| super::messages::TensorName::decode(bytes).ok().map(|tensor| tensor.name);
        let weights = model.graph().initializer.iter();
        Self(weights.filter_map(|bytes| Some((name(bytes)?, bytes.as_slice()))).collect())
    }

    fn get(&self, name: &str) -> Result<Array> {
        let damaged = || unknown(format!("its weight {name} is missing or damaged"));
        let tensor =
            self.0.get(name).and_then(|bytes| TensorProto::decode(*bytes).ok()).ok_or_else(damaged)?;
        let shape: Vec<usize> = tensor.dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let floats = tensor.raw_data.chunks_exact(4);
        let values: Vec<f64> =
            floats.map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect();
        let is_whole = tensor.data_type == FLOAT && values.len() == shape.iter().product::<usize>();
        if is_whole {
            Ok(Array { shape, values })
        } else {
            Err(unknown(format!("its weight {name} is not of float32")))
        }
    }
}

fn unknown(what: String) -> Error {
    Error::new(Kind::Backbone, format!("it cannot be computed in float64: {what}"))
}

fn compute(
    node: &NodeProto,
    values: &HashMap<String, Array>,
    weights: &Weights,
    threads: usize,
) -> Result<Array> {
    let not_known = || unknown(format!("the operator {} of {}", node.op_type, node.output.join(", ")));
    let of = |name: &String| match values.get(name) {
        Some(value) => Ok(value),
        // No operator that is computed here takes weights alone.
        None if weights.0.contains_key(name) => Err(not_known()),
        None => Err(unknown(format!("{name} is computed after it is used"))),
    };
    let has_weights = matches!(node.op_type.as_str(), "Conv" | "Gemm" | "Clip");
    let (own, constants) =
        node.input.split_at(if has_weights { 1.min(node.input.len()) } else { node.input.len() });
    let inputs: Vec<&Array> = own.iter().map(of).collect::<Result<_>>()?;
    let constants: Vec<Array> = constants.iter().map(|name| weights.get(name)).collect::<Result<_>>()?;
    let shapes: Vec<&Vec<usize>> =
        inputs.iter().map(|input| &input.shape).chain(constants.iter().map(|weight| &weight.shape)).collect();
    let shape = output_shape(node, &shapes).filter(|_| is_plain(node)).ok_or_else(not_known)?;
    let first = inputs.first().ok_or_else(not_known)?;
    let values = match (node.op_type.as_str(), &constants[..]) {
        ("Conv", [kernel, bias]) if fits(node, first, kernel) && bias.values.len() == shape[1] => {
            let window = Window::new(node, first, [kernel.shape[2], kernel.shape[3]], &shape);
            convolved(&window, first, kernel, bias, threads)?
        }
        ("MaxPool" | "AveragePool", _) => pooled(node, first, &shape)?,
        ("GlobalAveragePool", _) if first.shape.len() == 4 => {
            let positions = first.shape[2] * first.shape[3];
            first.values.chunks(positions).map(|plane| plane.iter().sum::<f64>() / positions as f64).collect()
        }
        ("Gemm", [kernel, bias])
            if bias.values.len() == shape[1] && kernel.values.len() == first.values.len() * shape[1] =>
        {
            dense(node, first, kernel, bias)
        }
        (_, constants) => element_wise(node, &inputs, constants).ok_or_else(not_known)?,
    };
    Ok(Array { shape, values })
}

/// The values of a node whose outputs need no window and no weights: activations, sums, and what only arranges values.
fn element_wise(node: &NodeProto, inputs: &[&Array], constants: &[Array]) -> Option<Vec<f64>> {
    let first = inputs.first()?;
    Some(match (node.op_type.as_str(), constants) {
        // For one image, channels follow one another.
        ("Concat", _) if int(node, "axis", -1) == 1 => {
            inputs.iter().flat_map(|input| input.values.iter().copied()).collect()
        }
        ("Add", _) if inputs.len() == 2 && inputs[0].shape == inputs[1].shape => {
            first.values.iter().zip(&inputs[1].values).map(|(a, b)| a + b).collect()
        }
        ("Clip", [low, high]) if low.values.len() == 1 && high.values.len() == 1 => {
            first.values.iter().map(|value| value.max(low.values[0]).min(high.values[0])).collect()
        }
        ("Relu", _) => first.values.iter().map(|value| value.max(0.0)).collect(),
        ("Softmax", _) if first.shape.len() == 2 => softmax(&first.values),
        ("Flatten" | "Identity" | "Dropout", _) => first.values.clone(),
        _ => return None,
    })
}

/// Whether a node has no attribute that the computations below leave out.
fn is_plain(node: &NodeProto) -> bool {
    let is_one = |name: &str| sizes(node, name).is_none_or(|values| values.iter().all(|&value| value == 1));
    let is_unset = |name: &str| attribute(node, name).is_none();
    is_one("dilations")
        && int(node, "ceil_mode", 0) == 0
        && ["auto_pad", "alpha", "beta", "transA"].into_iter().all(is_unset)
}

/// A window that slides over an image.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Rows above and columns left of the image.
    pad: [usize; 2],
    /// Height and width of the input and of the output.
    input: [usize; 2],
    output: [usize; 2],
}

impl Window {
    fn new(node: &NodeProto, input: &Array, kernel: [usize; 2], output: &[usize]) -> Self {
        let two = |name: &str, default: usize| {
            let values = sizes(node, name).unwrap_or_default();
            [0, 1].map(|at| values.get(at).copied().unwrap_or(default))
        };
        let sides = |shape: &[usize]| [shape[2], shape[3]];
        Self {
            kernel,
            stride: two("strides", 1),
            pad: two("pads", 0),
            input: sides(&input.shape),
            output: sides(output),
        }
    }

    /// The outputs along one side, 0 for height, for which tap `tap` of the window lies inside the image, and the input of
    /// the first of them.
    fn inside(&self, side: usize, tap: usize) -> (std::ops::Range<usize>, usize) {
        let (stride, pad, input) = (self.stride[side], self.pad[side], self.input[side]);
        let first = pad.saturating_sub(tap).div_ceil(stride);
        let end = (input + pad).saturating_sub(tap).div_ceil(stride).min(self.output[side]);
        (first..end.max(first), (first * stride + tap).saturating_sub(pad))
    }
}

/// Whether the kernel of a convolution fits its input and its groups.
fn fits(node: &NodeProto, input: &Array, kernel: &Array) -> bool {
    let groups = usize::try_from(int(node, "group", 1)).unwrap_or(0);
    groups > 0 && kernel.shape[0].is_multiple_of(groups) && kernel.shape[1] * groups == input.shape[1]
}

/// A convolution with `kernel`, `[filters, channels of a group, height, width]`, that [`fits`] its input.
fn convolved(
    window: &Window,
    input: &Array,
    kernel: &Array,
    bias: &Array,
    threads: usize,
) -> Result<Vec<f64>> {
    let [filters, channels] = [kernel.shape[0], kernel.shape[1]];
    let (positions, plane) = (window.output[0] * window.output[1], window.input[0] * window.input[1]);
    let taps = window.kernel[0] * window.kernel[1];
    let filters_of_a_group = filters * channels / input.shape[1];
    let all: Vec<usize> = (0..filters).collect();
    let filtered = in_parallel(threads, &all, |&filter| {
        let mut out = vec![bias.values[filter]; positions];
        let first = filter / filters_of_a_group * channels;
        for channel in 0..channels {
            let image = &input.values[(first + channel) * plane..][..plane];
            let weights = &kernel.values[(filter * channels + channel) * taps..][..taps];
            for (tap, &weight) in weights.iter().enumerate() {
                add_shifted(window, tap, weight, image, &mut out);
            }
        }
        Ok(out)
    })?;
    Ok(filtered.concat())
}

/// Adds `weight` times the inputs that one tap of the window sees.
fn add_shifted(window: &Window, tap: usize, weight: f64, image: &[f64], out: &mut [f64]) {
    let (rows, first_row) = window.inside(0, tap / window.kernel[1]);
    let (columns, first_column) = window.inside(1, tap % window.kernel[1]);
    let step = window.stride[1];
    for (i, row) in rows.enumerate() {
        let from = &image[(first_row + i * window.stride[0]) * window.input[1] + first_column..];
        let to = &mut out[row * window.output[1]..][columns.clone()];
        if step == 1 {
            to.iter_mut().zip(from).for_each(|(sum, value)| *sum += weight * value);
        } else {
            to.iter_mut().zip(from.iter().step_by(step)).for_each(|(sum, value)| *sum += weight * value);
        }
    }
}

/// The maximum or the mean of each window.
fn pooled(node: &NodeProto, input: &Array, shape: &[usize]) -> Result<Vec<f64>> {
    let &[height, width] = &sizes(node, "kernel_shape").unwrap_or_default()[..] else {
        return Err(unknown("a pool without a size".into()));
    };
    let window = Window::new(node, input, [height, width], shape);
    let (is_max, counts_padding) = (node.op_type == "MaxPool", int(node, "count_include_pad", 0) == 1);
    let plane = window.input[0] * window.input[1];
    let mut out = Vec::with_capacity(shape.iter().product());
    for image in input.values.chunks_exact(plane) {
        for row in 0..window.output[0] {
            for column in 0..window.output[1] {
                let seen = |side: usize, at: usize| {
                    let start = at * window.stride[side];
                    let end = (start + window.kernel[side]).saturating_sub(window.pad[side]);
                    start.saturating_sub(window.pad[side])..end.min(window.input[side])
                };
                let (rows, columns) = (seen(0, row), seen(1, column));
                let inside = rows.len() * columns.len();
                let values = rows.flat_map(|y| image[y * window.input[1]..][columns.clone()].iter());
                out.push(match is_max {
                    true => values.copied().fold(f64::NEG_INFINITY, f64::max),
                    false => {
                        values.sum::<f64>() / if counts_padding { height * width } else { inside } as f64
                    }
                });
            }
        }
    }
    Ok(out)
}

/// A dense layer with `kernel`, `[inputs, outputs]` or, transposed, `[outputs, inputs]`.
fn dense(node: &NodeProto, input: &Array, kernel: &Array, bias: &Array) -> Vec<f64> {
    let [inputs, outputs] = [input.values.len(), bias.values.len()];
    let is_transposed = int(node, "transB", 0) == 1;
    let weight =
        |i: usize, o: usize| kernel.values[if is_transposed { o * inputs + i } else { i * outputs + o }];
    let sum = |o: usize| (0..inputs).map(|i| input.values[i] * weight(i, o)).sum::<f64>() + bias.values[o];
    (0..outputs).map(sum).collect()
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = values.iter().map(|value| (value - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{AttributeProto, GraphBuilder};
    use super::*;

    fn evaluate(op: &str, attributes: Vec<AttributeProto>, image: &[f32]) -> Vec<f64> {
        let side = (image.len() / 3).isqrt();
        let mut graph = GraphBuilder::new("one", side);
        graph.weight("w", &[1, 3, 2, 2], &[1., 2., 3., 4., 0., 0., 0., 0., 0., 0., 0., 10.]);
        graph.weight("b", &[1], &[0.5]);
        graph.weight("low", &[], &[2.0]);
        graph.weight("high", &[], &[7.0]);
        let inputs: &[&str] = match op {
            "Conv" => &["input", "w", "b"],
            "Clip" => &["input", "low", "high"],
            "Add" => &["input", "input"],
            _ => &["input"],
        };
        graph.node(op, inputs, "out", attributes);
        let mut values = Vec::new();
        evaluate_float64(&graph.finish(&[]), image, 2, &mut |_, found| values = found.to_vec()).unwrap();
        values
    }

    /// A convolution of 1 x 1 with two filters for each of the three planes of [`image`] and the bias 0.5.
    fn evaluate_grouped(kernel: &[f32; 6]) -> Vec<f64> {
        let mut graph = GraphBuilder::new("grouped", 3);
        graph.weight("w", &[6, 1, 1, 1], kernel);
        graph.weight("b", &[6], &[0.5; 6]);
        graph.node("Conv", &["input", "w", "b"], "out", vec![AttributeProto::int("group", 3)]);
        let mut values = Vec::new();
        evaluate_float64(&graph.finish(&[]), &image(), 2, &mut |_, found| values = found.to_vec()).unwrap();
        values
    }

    /// Three planes of 3 x 3: 1 to 9, zeros, and 0.1 to 0.9.
    fn image() -> Vec<f32> {
        let red = (1..10).map(|v| v as f32);
        red.clone().chain([0.0; 9]).chain(red.map(|v| v / 10.0)).collect()
    }

    #[test]
    fn operators_give_what_their_definitions_say() {
        let ints = AttributeProto::ints;
        let near = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            found
                .iter()
                .zip(expected)
                .for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{found:?} {expected:?}"));
        };
        // 1 + 4 + 12 + 20, ten times .5, and the bias.
        near(evaluate("Conv", Vec::new(), &image()), &[42.5, 53.5, 75.5, 86.5]);
        let strided = vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 0, 0])];
        near(evaluate("Conv", strided, &image()), &[5.5, 21.5, 43.5, 86.5]);
        near(evaluate("Clip", Vec::new(), &image())[..9].to_vec(), &[2., 2., 3., 4., 5., 6., 7., 7., 7.]);
        let doubled: Vec<f64> = (1..10).map(|v| f64::from(2 * v)).collect();
        near(evaluate("Add", Vec::new(), &image())[..9].to_vec(), &doubled);
        // The red plane times 1 and 2, the green one is empty, the last one times 5 and 6.
        let grouped = evaluate_grouped(&[1., 2., 3., 4., 5., 6.]);
        near([&grouped[..2], &grouped[9..11]].concat(), &[1.5, 2.5, 2.5, 4.5]);
        near([&grouped[18..19], &grouped[36..37], &grouped[45..46]].concat(), &[0.5, 1.0, 1.1]);
        let window =
            || vec![ints("kernel_shape", &[3, 3]), ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
        near(evaluate("MaxPool", window(), &image())[..4].to_vec(), &[5.0, 6.0, 8.0, 9.0]);
        near(evaluate("AveragePool", window(), &image())[..4].to_vec(), &[3.0, 4.0, 6.0, 7.0]);
        let counted = [window(), vec![AttributeProto::int("count_include_pad", 1)]].concat();
        near(
            evaluate("AveragePool", counted, &image())[..4].to_vec(),
            &[12.0 / 9.0, 16.0 / 9.0, 24.0 / 9.0, 28.0 / 9.0],
        );
        near(evaluate("GlobalAveragePool", Vec::new(), &image()), &[5.0, 0.0, 0.5]);
        near(softmax(&[0.0, 3f64.ln()]), &[0.25, 0.75]);
    }

    #[test]
    fn what_is_not_computed_is_refused_and_not_left_out() {
        let refused = |op: &str, attributes: Vec<AttributeProto>| {
            let mut graph = GraphBuilder::new("one", 3);
            graph.weight("w", &[1, 3, 2, 2], &[1.0; 12]);
            graph.weight("b", &[1], &[0.5]);
            graph.node(op, &["input", "w", "b"], "out", attributes);
            evaluate_float64(&graph.finish(&[]), &image(), 1, &mut |_, _| {}).unwrap_err().to_string()
        };
        assert!(refused("Conv", vec![AttributeProto::int("group", 2)]).contains("the operator Conv of out"));
        assert!(refused("Conv", vec![AttributeProto::ints("dilations", &[2, 2])]).contains("in float64"));
        assert!(refused("Elu", Vec::new()).contains("cannot be computed in float64"));
    }
}
