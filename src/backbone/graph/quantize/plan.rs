//! Which nodes compute with integers, and which values are rounded to 8-bit levels.

use super::network::Network;
use crate::backbone::graph::messages::NodeProto;
use crate::backbone::graph::shapes::int;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is quantized in a network.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// The nodes, by their position.
    pub nodes: BTreeSet<usize>,
    /// The values that are rounded, each with the value whose range it takes: values that a node only passes on share one.
    pub values: BTreeMap<String, String>,
    /// Number of nodes of each operator that stay in float.
    pub left_float: BTreeMap<String, usize>,
}

impl Plan {
    /// Plans all that can be quantized, except what gives or reads one of the values `floats`.
    pub fn of(network: &Network, floats: &BTreeSet<String>) -> Self {
        let mut plan = Self::default();
        for (at, node) in network.nodes.iter().enumerate() {
            let is_float = |value: &String| floats.contains(value);
            let touches_float = || node.input.iter().any(is_float) || is_float(rounded_output(network, node));
            if plan.takes(network, node) && !touches_float() {
                plan.nodes.insert(at);
                let values = node.input.iter().filter(|name| !name.is_empty() && !network.is_weight(name));
                let rounded = values.chain(Some(rounded_output(network, node)));
                plan.values.extend(rounded.map(|value| (value.clone(), value.clone())));
            } else {
                *plan.left_float.entry(node.op_type.clone()).or_default() += 1;
            }
        }
        plan.absorb_activations(network);
        plan.share_ranges(network);
        plan
    }

    /// Whether `node`, whose inputs are planned, is quantized. The first convolution is not: its input has few channels, and
    /// the levels of pixels lie between those of a range that is even about zero. Nor is a depthwise convolution behind it:
    /// it has few products, and the channels that enter it differ so much in range that one scale for all costs more than
    /// those of all other values together.
    fn takes(&self, network: &Network, node: &NodeProto) -> bool {
        let mut inputs = node.input.iter().filter(|name| !network.is_weight(name) && !name.is_empty());
        let is_rounded = |name: &String| self.values.contains_key(name);
        let is_own = node.domain.is_empty() && node.output.len() == 1;
        is_own
            && match node.op_type.as_str() {
                "Conv" => is_integer_conv(network, node) && !is_first_depthwise(network, node),
                "Concat" => int(node, "axis", -1) == 1 && inputs.any(is_rounded),
                "MaxPool" => inputs.all(is_rounded),
                "Add" => node.input.len() == 2 && inputs.clone().count() == 2 && inputs.all(is_rounded),
                _ => false,
            }
    }

    /// An activation that is joined with the node before it is none that stays in float.
    fn absorb_activations(&mut self, network: &Network) {
        let joined = self.nodes.iter().filter_map(|&at| joined_activation(network, &network.nodes[at]));
        for activation in joined {
            let op = &network.nodes[activation].op_type;
            if let Some(count) = self.left_float.get_mut(op) {
                *count -= 1;
            }
        }
        self.left_float.retain(|_, count| *count > 0);
    }

    /// Gives the values of a pool one range, and the parts that only a concatenation reads the range of the whole: it
    /// rounds them to that anyway.
    fn share_ranges(&mut self, network: &Network) {
        let mut source: HashMap<&str, &str> = HashMap::new();
        let passed_on: BTreeSet<&str> = self
            .nodes
            .iter()
            .map(|&at| &network.nodes[at])
            .filter(|n| n.op_type == "MaxPool")
            .map(|n| n.output[0].as_str())
            .collect();
        for node in self.nodes.iter().map(|&at| &network.nodes[at]) {
            let output = node.output[0].as_str();
            match node.op_type.as_str() {
                "MaxPool" => drop(source.insert(output, &node.input[0])),
                "Concat" => {
                    let parts = node.input.iter().map(String::as_str);
                    let own =
                        parts.filter(|part| network.only_reader(part).is_some() && !passed_on.contains(part));
                    source.extend(own.map(|part| (part, output)));
                }
                _ => {}
            }
        }
        for range in self.values.values_mut() {
            while let Some(next) = source.get(range.as_str()) {
                *range = (*next).to_string();
            }
        }
    }
}

/// Whether a convolution can have integer weights, and is not the first.
fn is_integer_conv(network: &Network, node: &NodeProto) -> bool {
    let is_float = |name: &String| network.kernel(name).is_some();
    let kernel = node.input.get(1).and_then(|name| network.kernel(name));
    let groups = int(node, "group", 1);
    node.input[0] != network.image
        && node.input.get(2).is_none_or(|bias| bias.is_empty() || is_float(bias))
        && kernel.is_some_and(|kernel| {
            let filters = kernel.dims[0] as i64;
            kernel.dims.len() == 4 && groups > 0 && filters >= groups && filters % groups == 0
        })
}

/// Whether `node` is a depthwise convolution that takes the output of the first convolution, activated or not.
fn is_first_depthwise(network: &Network, node: &NodeProto) -> bool {
    let giver =
        |name: &str| network.nodes.iter().find(|node| node.output.iter().any(|output| output == name));
    let mut before = giver(&node.input[0]);
    if let Some(activation) = before.filter(|node| matches!(node.op_type.as_str(), "Relu" | "Clip")) {
        before = giver(&activation.input[0]);
    }
    let is_first = before.is_some_and(|conv| conv.op_type == "Conv" && conv.input[0] == network.image);
    is_first && int(node, "group", 1) > 1
}

/// The value behind `node` that is rounded: that of an activation which is joined with it, else its own.
pub(super) fn rounded_output<'a>(network: &'a Network, node: &'a NodeProto) -> &'a String {
    let activation = joined_activation(network, node);
    &activation.map_or(node, |at| &network.nodes[at]).output[0]
}

/// The activation that the runtime joins with `node`.
fn joined_activation(network: &Network, node: &NodeProto) -> Option<usize> {
    let reader = network.only_reader(&node.output[0])?;
    let activation = &network.nodes[reader];
    let is_constant =
        || activation.input[1..].iter().all(|bound| bound.is_empty() || network.is_weight(bound));
    let is_joined = matches!(node.op_type.as_str(), "Conv" | "Add")
        && match activation.op_type.as_str() {
            "Relu" => true,
            "Clip" => is_constant(),
            _ => false,
        };
    is_joined.then_some(reader)
}
