//! Makes a graph take pictures of any size: stretching, cropping and resizing become nodes.
//!
//! Pillow's fixed-point filter is a product with two matrices of whole numbers, followed by rounding. The nodes compute the
//! matrices from the size of the picture, in 64-bit floats, whose products and sums are exact here: the pixels that enter the
//! network are Pillow's own.

use super::messages::{AttributeProto, DOUBLE, FLOAT, INT64};
use super::node_writer::NodeWriter;
use crate::data::preprocess::{Preprocessing, Resize};
use crate::error::{Error, Kind, Result};

/// Pillow's fixed point: 22 fractional bits.
const FIXED: f64 = 4_194_304.0;

/// Smallest version of ONNX' operators with all that is needed (`Range`, `Round`).
const MIN_OPSET: i64 = 11;

/// Checks that pictures of any size can be resized inside a graph with the same result as outside.
///
/// # Errors
/// [`Kind::Usage`] for a filter that has no nodes here, or an older set of operators.
pub(super) fn check(steps: &Preprocessing, opset: i64) -> Result<()> {
    let why = match steps.resize {
        Resize::BilinearPillow | Resize::BicubicPillow | Resize::BilinearTensorflow1
            if opset >= MIN_OPSET =>
        {
            return Ok(());
        }
        Resize::BilinearPillow | Resize::BicubicPillow | Resize::BilinearTensorflow1 => {
            format!("the network uses opset {opset} of ONNX, and that takes {MIN_OPSET}")
        }
        other => format!("the {other} filter has no exact form in ONNX"),
    };
    Err(Error::new(Kind::Usage, format!("pictures cannot be resized inside the file: {why}"))
        .help("use `input` resized, and resize pictures before"))
}

/// Writes the nodes that turn `image`, bytes `[batch, height, width, 3]`, into `output`, floats `[batch, 3, size, size]` from
/// 0 to 255.
pub(super) fn write(w: &mut NodeWriter, image: &str, steps: &Preprocessing, output: &str) {
    let stretched = if steps.stretch { stretch(w, image) } else { image.to_string() };
    let (cropped, sides) = crop(w, &stretched, steps.crop);
    let is_pillow = steps.resize != Resize::BilinearTensorflow1;
    let element = if is_pillow { DOUBLE } else { FLOAT };
    // Bytes are sorted into planes before they take eight times the memory.
    let planes = w.op_with("Transpose", &[&cropped], vec![AttributeProto::ints("perm", &[0, 3, 1, 2])]);
    let planes = w.cast(&planes, element);
    let shorter = w.op("Min", &[&sides.height, &sides.width]);
    let [columns, rows] = [&sides.width, &sides.height].map(|side| {
        let region = region(w, side, &shorter, steps);
        if is_pillow { pillow(w, side, &region, steps) } else { tensorflow1(w, side, &region, steps) }
    });
    let columns = w.op_with("Transpose", &[&columns], vec![AttributeProto::ints("perm", &[1, 0])]);
    let wide = w.op("MatMul", &[&planes, &columns]);
    if !is_pillow {
        return w.named("MatMul", &[&rows, &wide], output, Vec::new());
    }
    let wide = to_bytes(w, &wide);
    let resized = w.op("MatMul", &[&rows, &wide]);
    let resized = to_bytes(w, &resized);
    w.named("Cast", &[&resized], output, vec![AttributeProto::int("to", i64::from(FLOAT))]);
}

/// Height and width of a picture: 64-bit floats without dimensions.
struct Sides {
    height: String,
    width: String,
}

/// A resized side: its whole length, and the first pixel of the part that is kept.
struct Region {
    whole: String,
    start: String,
}

fn number(w: &mut NodeWriter, value: f64) -> String {
    w.doubles(&[], &[value])
}

/// One dimension of the picture, as a 64-bit float.
fn side(w: &mut NodeWriter, shape: &str, axis: i64) -> String {
    let axis = w.ints(&[], &[axis]);
    let side = w.op("Gather", &[shape, &axis]);
    w.cast(&side, DOUBLE)
}

/// Stretches the values of each picture to 0 to 255, in 32-bit floats as [`Preprocessing`] does.
fn stretch(w: &mut NodeWriter, image: &str) -> String {
    let floats = w.cast(image, FLOAT);
    let (by_picture, by_pixel) = (w.ints(&[2], &[0, -1]), w.ints(&[4], &[-1, 1, 1, 1]));
    let flat = w.op("Reshape", &[&floats, &by_picture]);
    let [low, high] = ["ReduceMin", "ReduceMax"].map(|op| {
        let extreme = w.reduce_rows(op, &flat, true);
        w.op("Reshape", &[&extreme, &by_pixel])
    });
    let range = w.op("Sub", &[&high, &low]);
    let range = w.cast(&range, DOUBLE);
    let (one, most) = (number(w, 1.0), number(w, 255.0));
    let range = w.op("Max", &[&range, &one]);
    let scale = w.op("Div", &[&most, &range]);
    let scale = w.cast(&scale, FLOAT);
    let off = w.op("Sub", &[&floats, &low]);
    let scaled = w.op("Mul", &[&off, &scale]);
    let (most, half) = (w.floats(&[], &[255.0]), w.floats(&[], &[0.5]));
    let limited = w.op("Min", &[&scaled, &most]);
    let raised = w.op("Add", &[&limited, &half]);
    w.op("Floor", &[&raised])
}

/// Keeps the central `part` of each side. Returns the picture and its sides.
fn crop(w: &mut NodeWriter, image: &str, part: f64) -> (String, Sides) {
    let shape = w.op("Shape", &[image]);
    let [height, width] = [1, 2].map(|axis| side(w, &shape, axis));
    if part >= 1.0 {
        return (image.to_string(), Sides { height, width });
    }
    let (part, one, half) = (number(w, part), number(w, 1.0), number(w, 0.5));
    let borders = [&height, &width].map(|side| {
        let kept = w.op("Mul", &[side, &part]);
        let rest = w.op("Sub", &[side, &kept]);
        let border = w.op("Mul", &[&rest, &half]);
        let border = w.op("Floor", &[&border]);
        let less = w.op("Sub", &[side, &one]);
        let most = w.op("Mul", &[&less, &half]);
        let most = w.op("Floor", &[&most]);
        w.op("Min", &[&border, &most])
    });
    let mut inner = |end: &str, border: &str| w.op("Sub", &[end, border]);
    let ends = [inner(&height, &borders[0]), inner(&width, &borders[1])];
    let sides = Sides { height: inner(&ends[0], &borders[0]), width: inner(&ends[1], &borders[1]) };
    let (starts, ends, axes) = (whole_numbers(w, &borders), whole_numbers(w, &ends), w.ints(&[2], &[1, 2]));
    (w.op("Slice", &[image, &starts, &ends, &axes]), sides)
}

/// Two 64-bit floats as a list of integers.
fn whole_numbers(w: &mut NodeWriter, values: &[String; 2]) -> String {
    let one_dimension = w.ints(&[1], &[1]);
    let values = values.each_ref().map(|value| {
        let value = w.cast(value, INT64);
        w.op("Reshape", &[&value, &one_dimension])
    });
    w.op_with("Concat", &[&values[0], &values[1]], vec![AttributeProto::int("axis", 0)])
}

/// The region of a resized side that [`Preprocessing`] keeps.
fn region(w: &mut NodeWriter, side: &str, shorter: &str, steps: &Preprocessing) -> Region {
    let Some(wanted) = steps.shorter_side else {
        let whole = steps.both_sides.unwrap_or(steps.size);
        let margin = (whole - steps.size) as f64 / 2.0;
        let start = if steps.margin_rounds_down { margin.floor() } else { margin.round_ties_even() };
        return Region { whole: number(w, whole as f64), start: number(w, start) };
    };
    let [wanted, size, half] = [wanted as f64, steps.size as f64, 0.5].map(|value| number(w, value));
    let product = w.op("Mul", &[&wanted, side]);
    let whole = w.op("Div", &[&product, shorter]);
    let whole = w.op("Floor", &[&whole]);
    let margin = w.op("Sub", &[&whole, &size]);
    let margin = w.op("Mul", &[&margin, &half]);
    let start = w.op(if steps.margin_rounds_down { "Floor" } else { "Round" }, &[&margin]);
    Region { whole, start }
}

/// The positions of the `size` output pixels in the whole resized side, `[size, 1]`, and of the input pixels, `[1, side]`.
fn positions(w: &mut NodeWriter, side: &str, region: &Region, size: usize) -> [String; 2] {
    let offsets = w.doubles(&[size, 1], &(0..size).map(|i| i as f64).collect::<Vec<_>>());
    let outputs = w.op("Add", &[&offsets, &region.start]);
    let (zero, one) = (number(w, 0.0), number(w, 1.0));
    let inputs = w.op("Range", &[&zero, side, &one]);
    let row = w.ints(&[2], &[1, -1]);
    [outputs, w.op("Reshape", &[&inputs, &row])]
}

/// Pillow's weights `[size, side]`, multiples of 2^-22; see [`resize`](crate::data::preprocess::resize()).
fn pillow(w: &mut NodeWriter, side: &str, region: &Region, steps: &Preprocessing) -> String {
    let [outputs, inputs] = positions(w, side, region, steps.size);
    let [zero, half, one] = [0.0, 0.5, 1.0].map(|value| number(w, value));
    let radius = number(w, if steps.resize == Resize::BicubicPillow { 2.0 } else { 1.0 });
    let scale = w.op("Div", &[side, &region.whole]);
    let widening = w.op("Max", &[&scale, &one]);
    let support = w.op("Mul", &[&radius, &widening]);
    let centre = w.op("Add", &[&outputs, &half]);
    let centre = w.op("Mul", &[&centre, &scale]);
    let first = w.op("Sub", &[&centre, &support]);
    let first = w.op("Add", &[&first, &half]);
    let first = w.op("Max", &[&first, &zero]);
    let first = w.op("Floor", &[&first]);
    let end = w.op("Add", &[&centre, &support]);
    let end = w.op("Add", &[&end, &half]);
    let end = w.op("Floor", &[&end]);
    let is_before = w.op("Less", &[&inputs, &first]);
    let is_from = w.op("Not", &[&is_before]);
    let is_to = w.op("Less", &[&inputs, &end]);
    let is_inside = w.op("And", &[&is_from, &is_to]);
    let off = w.op("Sub", &[&inputs, &centre]);
    let off = w.op("Add", &[&off, &half]);
    let inverse = w.op("Div", &[&one, &widening]);
    let off = w.op("Mul", &[&off, &inverse]);
    let off = w.op("Abs", &[&off]);
    let raw = match steps.resize {
        Resize::BicubicPillow => cubic(w, &off),
        _ => {
            let triangle = w.op("Sub", &[&one, &off]);
            w.op("Max", &[&triangle, &zero])
        }
    };
    let raw = w.op("Where", &[&is_inside, &raw, &zero]);
    fixed_point(w, &raw, side)
}

/// Keys' cubic convolution with a = -0.5, at distances from the centre.
fn cubic(w: &mut NodeWriter, off: &str) -> String {
    const A: f64 = -0.5;
    let [zero, one, two] = [0.0, 1.0, 2.0].map(|value| number(w, value));
    // `steps` are pairs of an operator and its operand, applied in order; `off` is the variable.
    let mut chain = |steps: &[(&str, Option<f64>)]| {
        steps.iter().fold(off.to_string(), |value, (op, operand)| {
            let operand = operand.map_or_else(|| off.to_string(), |operand| number(w, operand));
            w.op(op, &[&value, &operand])
        })
    };
    let near = chain(&[
        ("Mul", Some(A + 2.0)),
        ("Sub", Some(A + 3.0)),
        ("Mul", None),
        ("Mul", None),
        ("Add", Some(1.0)),
    ]);
    let far = chain(&[
        ("Sub", Some(5.0)),
        ("Mul", None),
        ("Add", Some(8.0)),
        ("Mul", None),
        ("Sub", Some(4.0)),
        ("Mul", Some(A)),
    ]);
    let (is_near, is_far) = (w.op("Less", &[off, &one]), w.op("Less", &[off, &two]));
    let far = w.op("Where", &[&is_far, &far, &zero]);
    w.op("Where", &[&is_near, &near, &far])
}

/// Divides weights by the sum of their row, and rounds them half away from zero to multiples of 2^-22.
fn fixed_point(w: &mut NodeWriter, raw: &str, side: &str) -> String {
    let column = {
        let one = w.ints(&[1], &[1]);
        let rows = w.cast(side, INT64);
        let rows = w.op("Reshape", &[&rows, &one]);
        let shape = w.op_with("Concat", &[&rows, &one], vec![AttributeProto::int("axis", 0)]);
        let one = number(w, 1.0);
        w.op("Expand", &[&one, &shape])
    };
    let total = w.op("MatMul", &[raw, &column]);
    let share = w.op("Div", &[raw, &total]);
    let (fixed, half) = (number(w, FIXED), number(w, 0.5));
    let scaled = w.op("Mul", &[&share, &fixed]);
    let size = w.op("Abs", &[&scaled]);
    let size = w.op("Add", &[&size, &half]);
    let size = w.op("Floor", &[&size]);
    let sign = w.op("Sign", &[&scaled]);
    let rounded = w.op("Mul", &[&size, &sign]);
    w.op("Div", &[&rounded, &fixed])
}

/// The weights `[size, side]` of TensorFlow 1's `resize_bilinear`, in 32-bit floats.
fn tensorflow1(w: &mut NodeWriter, side: &str, region: &Region, steps: &Preprocessing) -> String {
    let [outputs, inputs] = positions(w, side, region, steps.size);
    let one = w.floats(&[], &[1.0]);
    let [outputs, inputs, side, whole] =
        [&outputs, &inputs, side, &region.whole].map(|value| w.cast(value, FLOAT));
    let scale = w.op("Div", &[&side, &whole]);
    let at = w.op("Mul", &[&outputs, &scale]);
    let last = w.op("Sub", &[&side, &one]);
    let lower = w.op("Floor", &[&at]);
    let lower = w.op("Min", &[&lower, &last]);
    let upper = w.op("Add", &[&lower, &one]);
    let upper = w.op("Min", &[&upper, &last]);
    let of_upper = w.op("Sub", &[&at, &lower]);
    let of_lower = w.op("Sub", &[&one, &of_upper]);
    let weights = [(&lower, &of_lower), (&upper, &of_upper)].map(|(position, weight)| {
        let is_there = w.op("Equal", &[&inputs, position]);
        let is_there = w.cast(&is_there, FLOAT);
        w.op("Mul", &[&is_there, weight])
    });
    w.op("Add", &[&weights[0], &weights[1]])
}

/// Rounds half up to a byte, as Pillow's fixed point does.
fn to_bytes(w: &mut NodeWriter, values: &str) -> String {
    let [half, zero, most] = [0.5, 0.0, 255.0].map(|value| number(w, value));
    let raised = w.op("Add", &[values, &half]);
    let whole = w.op("Floor", &[&raised]);
    let positive = w.op("Max", &[&whole, &zero]);
    w.op("Min", &[&positive, &most])
}
