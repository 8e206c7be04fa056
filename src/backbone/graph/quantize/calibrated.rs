//! A network whose values were observed: what each value would cost in floats, and the files of integers.

use super::compensation::Compensation;
use super::network::Network;
use super::observed::Observed;
use super::plan::{Plan, rounded_output};
use super::weights::RoundedWeights;
use super::writer;
use crate::backbone::graph::endpoints::cost;
use crate::backbone::graph::messages::StringStringEntryProto;
use crate::backbone::graph::model::OnnxModel;
use crate::backbone::graph::shapes::infer;
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The metadata key under which an ONNX file says how many bits its integer weights use.
pub(in crate::backbone) const WEIGHT_BITS_KEY: &str = "headstart.weight_bits";

/// What it costs to move a float in and out of a convolution, in multiply-adds. Depthwise convolutions move much and compute little:
/// by their multiply-adds alone floats would cost nothing there.
const COST_OF_ELEMENT: u64 = 64;

/// A network that can be written with integers.
pub(in crate::backbone) struct Calibrated {
    model: OnnxModel,
    plan: Plan,
    observed: BTreeMap<String, Observed>,
    /// How the channels of a value vary together, for each that pointwise convolutions take.
    compensations: BTreeMap<String, Compensation>,
    weights: RoundedWeights,
}

/// A network of integers.
pub(in crate::backbone) struct IntegerNetwork {
    pub onnx: Vec<u8>,
    /// Number of convolutions that compute with integers.
    pub convolutions: usize,
    /// Number of nodes of each operator that stay in float.
    pub left_float: BTreeMap<String, usize>,
}

impl Calibrated {
    pub(super) fn new(
        model: OnnxModel,
        plan: Plan,
        observed: BTreeMap<String, Observed>,
        weight_bits: u32,
    ) -> Self {
        let compensation = |(value, one): (&String, &Observed)| Some((value.clone(), one.compensation()?));
        let compensations = observed.iter().filter_map(compensation).collect();
        Self { model, plan, observed, compensations, weights: RoundedWeights::new(weight_bits) }
    }

    /// What one image of `side` pixels would cost in floats if a value was not rounded, for each value that is: multiply-adds, with
    /// [`COST_OF_ELEMENT`] for each number that enters or leaves a convolution. The last number is that of all convolutions of
    /// integers.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone) when the network is damaged.
    pub fn float_costs(&self, side: usize) -> Result<(Vec<(String, u64)>, u64)> {
        let network = Network::of(&self.model)?;
        let weights = network.weight_shapes();
        let shapes = infer(&network.nodes, (&network.image, vec![1, 3, side, side]), &weights);
        let convolutions: Vec<_> = (self.plan.nodes.iter().map(|&at| &network.nodes[at]))
            .filter(|node| node.op_type == "Conv")
            .map(|node| {
                let moved = elements(&shapes, &node.input[0]) + elements(&shapes, &node.output[0]);
                let costs = cost(node, &shapes, &weights) + COST_OF_ELEMENT * moved;
                (node, rounded_output(&network, node), costs)
            })
            .collect();
        let of_value = |value: &String| {
            let touching =
                convolutions.iter().filter(|(node, output, _)| node.input[0] == *value || *output == value);
            (value.clone(), touching.map(|(_, _, cost)| cost).sum())
        };
        let all = convolutions.iter().map(|(_, _, cost)| cost).sum();
        Ok((self.plan.values.keys().map(of_value).collect(), all))
    }

    /// Writes the network with integers, without rounding the values `floats`, and with `metadata` instead of entries of the
    /// same keys. The same observations give the same bytes.
    ///
    /// # Errors
    /// [`Kind::Backbone`](crate::error::Kind::Backbone) when a value was not observed, or was no number.
    pub fn write(&self, floats: &BTreeSet<String>, metadata: &[(&str, &str)]) -> Result<IntegerNetwork> {
        let mut model = self.model.clone();
        let network = Network::of(&self.model)?;
        let plan = Plan::of(&network, floats);
        let of_plan = plan.nodes.iter().filter(|&&at| network.nodes[at].op_type == "Conv");
        let convolutions = of_plan.count();
        let seen = writer::Seen { observed: &self.observed, compensations: &self.compensations };
        writer::write(&mut model, &plan, seen, &self.weights)?;
        let bits = self.weights.bits().to_string();
        let file = model.file_mut();
        for (key, value) in metadata.iter().copied().chain([(WEIGHT_BITS_KEY, bits.as_str())]) {
            file.metadata.retain(|old| old.key != key);
            file.metadata.push(StringStringEntryProto { key: key.into(), value: value.into() });
        }
        Ok(IntegerNetwork { onnx: model.encode(), convolutions, left_float: plan.left_float })
    }
}

/// Numbers of the value `name` for one image; 0 where its shape is not known.
fn elements(shapes: &HashMap<String, Vec<usize>>, name: &str) -> u64 {
    shapes.get(name).map_or(0, |shape| shape.iter().map(|&side| side as u64).product())
}
