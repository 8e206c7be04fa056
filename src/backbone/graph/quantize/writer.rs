//! Writes the nodes and weights of the planned quantization.

use super::compensation::Compensation;
use super::histogram::Levels;
use super::network::{Network, edited, float_tensor, tensor, tensor_name};
use super::observed::Observed;
use super::plan::Plan;
use super::pools::remove_unused;
use super::weights::{ConvInput, RoundedWeights};
use crate::backbone::graph::builder::encoded_node;
use crate::backbone::graph::messages::{AttributeProto, INT8, INT32, NodeProto, NodeValues, UINT8};
use crate::backbone::graph::model::OnnxModel;
use crate::backbone::graph::shapes::int;
use crate::error::{Error, Kind, Result};
use prost::Message;
use std::collections::{BTreeMap, HashSet};

/// What the images of the calibration gave, by value.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub observed: &'a BTreeMap<String, Observed>,
    pub compensations: &'a BTreeMap<String, Compensation>,
}

/// Rewrites `model` as planned.
pub(super) fn write(
    model: &mut OnnxModel,
    plan: &Plan,
    Seen { observed, compensations }: Seen,
    rounded: &RoundedWeights,
) -> Result<()> {
    let network = Network::of(model)?;
    let levels = levels(plan, observed)?;
    let mut writer = Writer { nodes: Vec::new(), weights: Vec::new(), replaced: HashSet::new() };
    for (at, mut node) in edited(model.graph())?.into_iter().enumerate() {
        if plan.nodes.contains(&at) && node.op_type == "Conv" {
            let read = &network.nodes[at];
            let input = &read.input[0];
            let means = observed[input].channel_means();
            let groups = usize::try_from(int(read, "group", 1)).unwrap_or(1);
            let compensation = compensations.get(input);
            let input = ConvInput { scale: levels[input].scale, channel_means: &means, groups, compensation };
            writer.conv(&network, read, &mut node, input, rounded)?;
        }
        writer.node(node, &levels);
    }
    let Writer { nodes, weights, replaced } = writer;
    let graph = model.graph_mut();
    let names: HashSet<String> = graph.initializer.iter().map(|bytes| tensor_name(bytes)).collect();
    graph.initializer.retain(|bytes| !replaced.contains(&tensor_name(bytes)));
    // Old files list their weights among the inputs, and types of values that are other values now.
    graph.input.retain(|input| !names.contains(&input.name));
    graph.value_info.clear();
    graph.node = nodes;
    graph.initializer.extend(weights);
    remove_unused(graph)
}

/// The levels of each value that is rounded.
fn levels(plan: &Plan, observed: &BTreeMap<String, Observed>) -> Result<BTreeMap<String, Levels>> {
    let fail = |value: &str, why: &str| Error::new(Kind::Backbone, format!("the value {value} {why}"));
    if let Some(value) = plan.values.keys().find(|value| !observed.contains_key(*value)) {
        return Err(fail(value, "was not observed"));
    }
    let mut of_range: BTreeMap<&str, Levels> = BTreeMap::new();
    for range in plan.values.values() {
        let histogram = &observed.get(range).ok_or_else(|| fail(range, "was not observed"))?.histogram;
        if !histogram.is_finite() {
            return Err(fail(range, "is no number for some of the images"));
        }
        if !of_range.contains_key(range.as_str()) {
            of_range.insert(range, histogram.levels());
        }
    }
    Ok(plan.values.iter().map(|(value, range)| (value.clone(), of_range[range.as_str()])).collect())
}

/// The new nodes and weights, in order.
struct Writer {
    nodes: Vec<Vec<u8>>,
    weights: Vec<Vec<u8>>,
    /// Weights of floats whose name an integer weight has now.
    replaced: HashSet<String>,
}

impl Writer {
    /// Adds a node; each of its outputs that is rounded keeps its name behind the rounding.
    fn node(&mut self, mut node: NodeValues, levels: &BTreeMap<String, Levels>) {
        let rounded: Vec<String> =
            node.output.iter().filter(|output| levels.contains_key(*output)).cloned().collect();
        for output in node.output.iter_mut().filter(|output| levels.contains_key(*output)) {
            *output = format!("{output}/float");
        }
        // The node that gives the value its name back is called like it.
        if levels.contains_key(&node.name) {
            node.name = format!("{}/float", node.name);
        }
        self.nodes.push(node.encode_to_vec());
        for value in rounded {
            let Levels { scale, zero_point } = levels[&value];
            let [float, integer] = [format!("{value}/float"), format!("{value}/uint8")];
            let [scale_name, zero_name] = [format!("{value}/scale"), format!("{value}/zero-point")];
            self.weights.push(float_tensor(&scale_name, &[], &[scale]));
            self.weights.push(tensor(&zero_name, UINT8, &[], vec![zero_point]));
            let parameters = [scale_name.as_str(), zero_name.as_str()];
            let round = [&[float.as_str()], &parameters[..]].concat();
            self.nodes.push(encoded_node("QuantizeLinear", &round, &integer, Vec::new()));
            let back = [&[integer.as_str()], &parameters[..]].concat();
            self.nodes.push(encoded_node("DequantizeLinear", &back, &value, Vec::new()));
        }
    }

    /// Makes the weights and the bias of a convolution integers.
    fn conv(
        &mut self,
        network: &Network,
        read: &NodeProto,
        node: &mut NodeValues,
        input: ConvInput,
        rounded: &RoundedWeights,
    ) -> Result<()> {
        let missing = || Error::new(Kind::Backbone, format!("the weights of {} are missing", read.output[0]));
        let kernel = network.kernel(&read.input[1]).ok_or_else(missing)?;
        let bias = read.input.get(2).and_then(|name| network.kernel(name));
        let (filters, channels) = (kernel.dims[0], kernel.dims[1]);
        let fits = bias.as_ref().is_none_or(|bias| bias.values.len() == filters)
            && input.channel_means.len() == channels * input.groups;
        if !fits {
            let message = format!("the weights of {} do not fit its input", read.output[0]);
            return Err(Error::new(Kind::Backbone, message));
        }
        let bias_values = bias.map(|bias| bias.values).unwrap_or_default();
        let rounded = rounded.of(&read.output[0], &kernel, &bias_values, input);
        let weights: Vec<u8> = rounded.weights.iter().map(|&level| level as u8).collect();
        let zeros = vec![0; filters];
        let name = self.name(network, &read.input[1], &read.output[0], "weights");
        node.input[1] = self.dequantized(&name, (INT8, &kernel.dims, weights), &rounded.scales, zeros);
        let bias: Vec<u8> = rounded.bias.iter().flat_map(|level| level.to_le_bytes()).collect();
        let own = read.input.get(2).map_or("", String::as_str);
        let name = self.name(network, own, &read.output[0], "bias");
        let value =
            self.dequantized(&name, (INT32, &[filters], bias), &rounded.bias_scales, vec![0; 4 * filters]);
        node.input.truncate(2);
        node.input.push(value);
        Ok(())
    }

    /// The name of an integer weight: that of the float one where nothing else reads it.
    fn name(&mut self, network: &Network, float: &str, output: &str, what: &str) -> String {
        if network.uses(float) == 1 && !float.is_empty() {
            self.replaced.insert(float.into());
            return float.into();
        }
        format!("{output}/{what}")
    }

    /// Adds an integer weight with a scale for each filter, and returns the name of its floats.
    fn dequantized(
        &mut self,
        name: &str,
        weight: (i32, &[usize], Vec<u8>),
        scales: &[f32],
        zeros: Vec<u8>,
    ) -> String {
        let (data_type, dims, levels) = weight;
        let [scale_name, zero_name, floats] =
            ["scales", "zero-points", "float"].map(|part| format!("{name}/{part}"));
        self.weights.push(tensor(name, data_type, dims, levels));
        self.weights.push(float_tensor(&scale_name, &[scales.len()], scales));
        self.weights.push(tensor(&zero_name, data_type, &[scales.len()], zeros));
        let axis = vec![AttributeProto::int("axis", 0)];
        self.nodes.push(encoded_node("DequantizeLinear", &[name, &scale_name, &zero_name], &floats, axis));
        floats
    }
}
