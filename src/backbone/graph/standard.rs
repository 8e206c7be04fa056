//! Brings an ONNX file of any exporter into the form that this program runs: weights inside, one input of 32-bit floats
//! `[batch, 3, side, side]`. The same file and settings give the same bytes, whose digest stands for both.

use super::builder::encoded_node;
use super::messages::{
    AttributeProto, BOOL, DimensionProto, EXTERNAL, FLOAT, FLOAT16, GraphProto, INT32, INT64, ModelProto,
    NodeProto, StringStringEntryProto, TensorLocation, TensorProto, TensorShapeProto, TensorTypeProto,
    TypeProto, UINT8, ValueInfoProto,
};
use super::model::{INPUT_KEY, LAYER_KEY, initializer_names};
use crate::error::{Error, Kind, Result};
use prost::Message;
use std::collections::{BTreeMap, HashSet};

/// What a file does not say itself.
#[derive(Debug, Clone, Default)]
pub(in crate::backbone) struct ModelSettings {
    /// The input that takes the image, where its shape does not tell.
    pub image: Option<String>,
    /// Values of the other inputs. An input without one is removed with all that depends on it.
    pub constants: BTreeMap<String, f64>,
    /// The layer to embed by default.
    pub layer: Option<String>,
    /// More metadata, as pairs of key and value.
    pub metadata: Vec<(String, String)>,
}

/// The name of the image input where the file's own one is not as wanted.
const IMAGE: &str = "headstart/image";

/// The most bytes of a protobuf message.
const MAX_BYTES: usize = i32::MAX as usize;

/// Brings the ONNX file `bytes` into the form that this program runs. `read` returns the content of a file of weights by the
/// name that the ONNX file gives it. Returns the new file, or `None` when nothing had to be changed.
///
/// # Errors
/// [`Kind::Backbone`] when it is damaged, has no image input, or its weights are too large or not where it says; errors of
/// `read`.
pub(in crate::backbone) fn standardize(
    bytes: &[u8],
    settings: &ModelSettings,
    read: &mut dyn FnMut(&str) -> Result<Vec<u8>>,
) -> Result<Option<Vec<u8>>> {
    let mut model = ModelProto::decode(bytes).map_err(|e| fail("the protobuf is damaged").because(e))?;
    let graph = model.graph.as_mut().ok_or_else(|| fail("it holds no graph"))?;
    let mut is_changed = include_weights(graph, read)?;
    let image = image_input(graph, settings.image.as_deref())?;
    is_changed |= fix_other_inputs(graph, &image, &settings.constants)?;
    let takes = adapt_image(graph, &image)?;
    is_changed |= takes.is_changed;
    let mut entries = settings.metadata.clone();
    entries.extend(takes.is_bytes.then(|| (INPUT_KEY.to_string(), "uint8".to_string())));
    is_changed |= !entries.is_empty();
    let layer = settings.layer.clone().or_else(|| default_layer(graph).filter(|_| is_changed));
    entries.extend(layer.map(|layer| (LAYER_KEY.to_string(), layer)));
    model.metadata.retain(|old| !entries.iter().any(|(key, _)| *key == old.key));
    is_changed |= !entries.is_empty();
    model.metadata.extend(entries.into_iter().map(|(key, value)| StringStringEntryProto { key, value }));
    if !is_changed {
        return Ok(None);
    }
    match model.encoded_len() {
        len if len > MAX_BYTES => {
            Err(fail("its weights take more than 2 GB, which one ONNX file cannot hold")
                .help("export it with 16-bit floats"))
        }
        _ => Ok(Some(model.encode_to_vec())),
    }
}

/// Puts weights of other files into the graph. Returns whether there were any.
fn include_weights(graph: &mut GraphProto, read: &mut dyn FnMut(&str) -> Result<Vec<u8>>) -> Result<bool> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let (mut is_changed, mut total) = (false, 0usize);
    for bytes in &mut graph.initializer {
        let tensor =
            TensorLocation::decode(&bytes[..]).map_err(|e| fail("a weight is damaged").because(e))?;
        if tensor.data_location != EXTERNAL {
            continue;
        }
        let entry =
            |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let wrong = || fail(format!("it does not say where the weight {} is", tensor.name));
        let file = entry("location").ok_or_else(wrong)?;
        let number =
            |key: &str| entry(key).map(|text| text.parse::<usize>().map_err(|_| wrong())).transpose();
        let (start, len) = (number("offset")?.unwrap_or(0), number("length")?);
        if !files.contains_key(file) {
            files.insert(file.clone(), read(file)?);
        }
        let content = &files[file];
        let end = len.map_or(Some(content.len()), |len| start.checked_add(len));
        let values = end.and_then(|end| content.get(start..end)).ok_or_else(|| {
            fail(format!("the weight {} reaches beyond the end of {file}", tensor.name))
                .help("copy the file of weights again")
        })?;
        total = total.saturating_add(values.len());
        if total > MAX_BYTES {
            break;
        }
        let TensorLocation { dims, data_type, name, .. } = tensor;
        *bytes = TensorProto { dims, data_type, name, raw_data: values.to_vec() }.encode_to_vec();
        is_changed = true;
    }
    if total > MAX_BYTES {
        return Err(fail("its weights take more than 2 GB, which one ONNX file cannot hold")
            .help("export it with 16-bit floats"));
    }
    Ok(is_changed)
}

/// Finds the input that takes the image: the named one, `pixel_values`, or the only one of four dimensions.
fn image_input(graph: &GraphProto, name: Option<&str>) -> Result<String> {
    let weights = initializer_names(graph);
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !weights.contains(&input.name)).collect();
    let named = |name: &str| inputs.iter().find(|input| input.name == name);
    let shown = inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = name {
        let missing = || fail(format!("no input is called {name:?}")).help(format!("its inputs are {shown}"));
        return named(name).map(|input| input.name.clone()).ok_or_else(missing);
    }
    let of_image: Vec<_> = inputs.iter().copied().filter(|input| dims(input).len() == 4).collect();
    match (named("pixel_values"), &of_image[..], &inputs[..]) {
        (Some(input), ..) => Ok(input.name.clone()),
        (None, [input], _) | (None, _, [input]) => Ok(input.name.clone()),
        _ => Err(fail("which input takes the image is not clear")
            .help(format!("name it as `image` in headstart.toml; its inputs are {shown}"))),
    }
}

/// Gives the inputs beside the image their constant, or removes them with all that depends on them. Returns whether there were
/// any.
fn fix_other_inputs(graph: &mut GraphProto, image: &str, constants: &BTreeMap<String, f64>) -> Result<bool> {
    let weights = initializer_names(graph);
    let is_other = |input: &ValueInfoProto| input.name != image && !weights.contains(&input.name);
    if let Some(name) = constants.keys().find(|name| !graph.input.iter().any(|input| input.name == **name)) {
        return Err(fail(format!("no input is called {name:?}")));
    }
    let others: Vec<ValueInfoProto> = graph.input.iter().filter(|input| is_other(input)).cloned().collect();
    graph.input.retain(|input| !is_other(input));
    let mut unknown: HashSet<String> = HashSet::new();
    for input in &others {
        match constants.get(&input.name) {
            Some(value) => graph.initializer.push(constant(input, *value)?),
            None => drop(unknown.insert(input.name.clone())),
        }
    }
    let mut nodes = Vec::new();
    for bytes in std::mem::take(&mut graph.node) {
        let node = NodeProto::decode(&bytes[..]).map_err(|e| fail("a node is damaged").because(e))?;
        match node.input.iter().any(|name| unknown.contains(name)) {
            true => unknown.extend(node.output.into_iter().filter(|name| !name.is_empty())),
            false => nodes.push(bytes),
        }
    }
    graph.node = nodes;
    graph.output.retain(|output| !unknown.contains(&output.name));
    if graph.output.is_empty() {
        let names = others.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(fail(format!("all of its outputs depend on {names}"))
            .help("give these a constant under `inputs` in headstart.toml"));
    }
    Ok(!others.is_empty())
}

/// Encodes a weight that is `value` everywhere. Dimensions that the file leaves open are 1.
fn constant(input: &ValueInfoProto, value: f64) -> Result<Vec<u8>> {
    let dims: Vec<i64> = dims(input).iter().map(|dim| dim.map_or(1, |dim| dim as i64)).collect();
    let count: i64 = dims.iter().product();
    if count > 1 << 24 {
        return Err(fail(format!("the input {} has {count} values, too many for a constant", input.name)));
    }
    let one = match input.element() {
        FLOAT => (value as f32).to_le_bytes().to_vec(),
        INT64 => (value as i64).to_le_bytes().to_vec(),
        INT32 => (value as i32).to_le_bytes().to_vec(),
        BOOL | UINT8 => vec![value as u8],
        kind => return Err(fail(format!("the input {} has the data type {kind}", input.name))),
    };
    let raw_data = one.repeat(count as usize);
    Ok(TensorProto { dims, data_type: input.element(), name: input.name.clone(), raw_data }.encode_to_vec())
}

/// What the image input took before.
struct ImageInput {
    is_changed: bool,
    is_bytes: bool,
}

/// Makes the image input 32-bit floats `[batch, 3, height, width]`; nodes behind it turn them into what the network takes.
fn adapt_image(graph: &mut GraphProto, image: &str) -> Result<ImageInput> {
    let at = graph.input.iter().position(|input| input.name == image).expect("found before");
    let (sides, kind) = (dims(&graph.input[at]), graph.input[at].element());
    let [batch, height, width, is_last] = match sides[..] {
        [batch, Some(3) | None, height, width] if width != Some(3) => [batch, height, width, None],
        [batch, Some(3), height, width] => [batch, height, width, None],
        [batch, height, width, Some(3)] => [batch, height, width, Some(1)],
        _ => {
            return Err(fail(format!("its input has the dimensions {sides:?}"))
                .help("a backbone takes [batch, 3, side, side] or [batch, side, side, 3]"));
        }
    };
    if !matches!(kind, FLOAT | FLOAT16 | UINT8) {
        return Err(fail(format!("its input has the data type {kind}"))
            .help("a backbone takes 32-bit floats, 16-bit floats or bytes"));
    }
    let is_bytes = kind == UINT8;
    if kind == FLOAT && is_last.is_none() {
        return Ok(ImageInput { is_changed: false, is_bytes });
    }
    let mut nodes = Vec::new();
    let mut from = IMAGE.to_string();
    if is_last.is_some() {
        let to = if kind == FLOAT { image.to_string() } else { format!("{IMAGE}/channels-last") };
        let order = vec![AttributeProto::ints("perm", &[0, 2, 3, 1])];
        nodes.push(encoded_node("Transpose", &[&from], &to, order));
        from = to;
    }
    if kind != FLOAT {
        let to = vec![AttributeProto::int("to", i64::from(kind))];
        nodes.push(encoded_node("Cast", &[&from], image, to));
    }
    graph.node.splice(..0, nodes);
    let dim = |value: Option<usize>, name: &str| DimensionProto {
        value: value.map(|value| value as i64),
        name: value.is_none().then(|| name.to_string()),
    };
    let dim = vec![dim(batch, "batch"), dim(Some(3), ""), dim(height, "height"), dim(width, "width")];
    let tensor = TensorTypeProto { element: FLOAT, shape: Some(TensorShapeProto { dim }) };
    graph.input[at] = ValueInfoProto { name: IMAGE.into(), kind: Some(TypeProto { tensor: Some(tensor) }) };
    Ok(ImageInput { is_changed: true, is_bytes })
}

/// The output that holds features by its name, else the only one. Channels that its shape says are last are named so.
fn default_layer(graph: &GraphProto) -> Option<String> {
    const NAMES: [&str; 5] =
        ["image_embeds", "pooler_output", "embeddings", "sentence_embedding", "last_hidden_state"];
    let named = NAMES.iter().find_map(|name| graph.output.iter().find(|output| output.name == **name));
    let output = named.or(match &graph.output[..] {
        [only] => Some(only),
        _ => None,
    })?;
    match dims(output)[..] {
        [_, Some(height), Some(width), channels] if height == width && channels != Some(width) => {
            Some(super::Pool::ChannelsLast.of_layer(&output.name))
        }
        _ => Some(output.name.clone()),
    }
}

/// The dimensions of a value; `None` for one that the file does not fix.
fn dims(value: &ValueInfoProto) -> Vec<Option<usize>> {
    let shape = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref()?.shape.as_ref());
    let fixed = |d: &DimensionProto| d.value.and_then(|v| usize::try_from(v).ok()).filter(|&v| v > 0);
    shape.map(|shape| shape.dim.iter().map(fixed).collect()).unwrap_or_default()
}

fn fail(why: impl Into<String>) -> Error {
    Error::new(Kind::Backbone, format!("not a usable ONNX model: {}", why.into()))
}
