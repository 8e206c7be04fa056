//! Turns a network of 32-bit floats into one whose convolutions compute with 8-bit integers. Rounding stands in the graph as
//! pairs of `QuantizeLinear` and `DequantizeLinear`, which ONNX Runtime joins with the operator between them.

mod calibrated;
mod compensation;
mod histogram;
mod network;
mod observed;
mod plan;
mod pools;
mod weights;
mod writer;

pub(in crate::backbone) use calibrated::{Calibrated, IntegerNetwork, WEIGHT_BITS_KEY};
pub(in crate::backbone) use observed::Observed;

use super::model::OnnxModel;
use crate::error::{Error, Kind, Result};
use network::Network;
use plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// The version of ONNX's operators since which a scale may belong to one filter.
const FIRST_OPSET: i64 = 13;

/// A network that is going to be quantized.
pub(in crate::backbone) struct Quantizer {
    model: OnnxModel,
    plan: Plan,
}

impl Quantizer {
    /// Plans the quantization of the ONNX file `bytes`.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when it is no usable network, is quantized already, or has nothing to quantize.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let mut model = OnnxModel::parse(bytes)?;
        let is_integer =
            |op: &str| op.contains("QuantizeLinear") || op.contains("Integer") || op.starts_with("QLinear");
        if model.nodes()?.iter().any(|node| is_integer(&node.op_type)) {
            return Err(Error::new(Kind::Backbone, "the network is quantized already")
                .help("name the network of floats that it was made from"));
        }
        if model.opset() < FIRST_OPSET {
            let message = format!(
                "its operators are those of opset {}, and integers need {FIRST_OPSET}",
                model.opset()
            );
            return Err(
                Error::new(Kind::Backbone, message).help("export the network again with a newer opset")
            );
        }
        pools::move_pools(&mut model)?;
        let plan = Plan::of(&Network::of(&model)?, &BTreeSet::new());
        if plan.nodes.is_empty() {
            let left: Vec<&str> = plan.left_float.keys().map(String::as_str).collect();
            let message = "the network has no convolution behind the first whose weights are 32-bit floats";
            return Err(Error::new(Kind::Backbone, message).help(format!(
                "only convolutions are computed with integers; its operators are {}",
                left.join(", ")
            )));
        }
        Ok(Self { model, plan })
    }

    /// The network of floats to run for calibration; it computes what the original does.
    pub fn float_network(&self) -> Vec<u8> {
        self.model.encoded()
    }

    /// The values to observe, each with nothing observed yet.
    ///
    /// # Errors
    /// [`Kind::Backbone`] when the network is damaged.
    pub fn to_observe(&self) -> Result<BTreeMap<String, Observed>> {
        let network = Network::of(&self.model)?;
        // A convolution needs the means of its input, whatever range that takes.
        let values = self.plan.values.iter().flat_map(|(value, range)| [value, range]);
        let mut all: BTreeMap<String, Observed> =
            values.map(|value| (value.clone(), Observed::default())).collect();
        for node in self.plan.nodes.iter().map(|&at| &network.nodes[at]) {
            if let Some(channels) = network.pointwise_channels(node) {
                all.insert(node.input[0].clone(), Observed::with_products(channels));
            }
        }
        Ok(all)
    }

    /// Fixes what the images of the calibration gave, and the bits of the weights, 7 or 8.
    pub fn calibrated(self, observed: BTreeMap<String, Observed>, weight_bits: u32) -> Calibrated {
        Calibrated::new(self.model, self.plan, observed, weight_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::NodeProto;
    use super::super::{AttributeProto, GraphBuilder};
    use super::*;

    /// A stem, two branches of which one has an average pool, their concatenation, a sum with itself behind a convolution.
    fn network() -> Vec<u8> {
        let mut graph = GraphBuilder::new("tiny", 8);
        let values = |n: usize, seed: usize| {
            (0..n).map(|i| ((i * 31 + seed) % 17) as f32 / 8.0 - 1.0).collect::<Vec<f32>>()
        };
        let three = || vec![AttributeProto::ints("pads", &[1, 1, 1, 1])];
        graph.weight("stem/w", &[4, 3, 3, 3], &values(108, 1));
        graph.weight("a/w", &[2, 4, 1, 1], &values(8, 2));
        graph.weight("b/w", &[3, 4, 1, 1], &values(12, 3));
        graph.weight("c/w", &[5, 5, 3, 3], &values(225, 4));
        for (name, n) in [("stem/b", 4), ("a/b", 2), ("b/b", 3), ("c/b", 5)] {
            graph.weight(name, &[n], &values(n, 5));
        }
        graph.node("Conv", &["input", "stem/w", "stem/b"], "stem/conv", three());
        graph.node("Relu", &["stem/conv"], "stem", Vec::new());
        graph.node("Conv", &["stem", "a/w", "a/b"], "a/conv", Vec::new());
        graph.node("Relu", &["a/conv"], "a", Vec::new());
        let pool = [
            three(),
            vec![AttributeProto::ints("kernel_shape", &[3, 3]), AttributeProto::int("count_include_pad", 1)],
        ];
        graph.node("AveragePool", &["stem"], "b/pool", pool.concat());
        graph.node("Conv", &["b/pool", "b/w", "b/b"], "b/conv", Vec::new());
        graph.node("Relu", &["b/conv"], "b", Vec::new());
        graph.node("Concat", &["a", "b"], "joined", vec![AttributeProto::int("axis", 1)]);
        graph.node("Conv", &["joined", "c/w", "c/b"], "c", three());
        graph.node("Add", &["c", "joined"], "sum", Vec::new());
        graph.node("GlobalAveragePool", &["sum"], "pooled", Vec::new());
        graph.node("Flatten", &["pooled"], "flat", vec![AttributeProto::int("axis", 1)]);
        graph.output("flat", 5);
        graph.finish(&[("key", "value")])
    }

    fn ops(model: &OnnxModel) -> Vec<String> {
        model.nodes().unwrap().into_iter().map(|node| node.op_type).collect()
    }

    #[test]
    fn a_pool_moves_behind_the_convolution_and_before_the_bias() {
        let model = OnnxModel::parse(&Quantizer::new(&network()).unwrap().float_network()).unwrap();
        let found = ops(&model);
        let at = found.iter().position(|op| op == "AveragePool").unwrap();
        assert_eq!(
            found[at - 3..=at + 2],
            ["Conv", "Relu", "Conv", "AveragePool", "Add", "Relu"][..],
            "{found:?}"
        );
    }

    #[test]
    fn what_is_quantized_and_what_shares_a_range_is_planned() {
        let quantizer = Quantizer::new(&network()).unwrap();
        let values: BTreeMap<&str, &str> =
            quantizer.plan.values.iter().map(|(value, range)| (value.as_str(), range.as_str())).collect();
        let expected = [
            ("a", "joined"),
            ("b", "joined"),
            ("b/conv/before-pool", "b/conv/before-pool"),
            ("c", "c"),
            ("joined", "joined"),
            ("stem", "stem"),
            ("sum", "sum"),
        ];
        assert_eq!(values, BTreeMap::from(expected));
        let left: Vec<(&str, usize)> =
            quantizer.plan.left_float.iter().map(|(op, n)| (op.as_str(), *n)).collect();
        let expected = [
            ("Add", 1),
            ("AveragePool", 1),
            ("Conv", 1),
            ("Flatten", 1),
            ("GlobalAveragePool", 1),
            ("Relu", 2),
        ];
        assert_eq!(left, expected, "the stem with its Relu, the pool with its bias and Relu, the end");
        let convolutions = |plan: &Plan| {
            let nodes = quantizer.model.nodes().unwrap();
            plan.nodes.iter().filter(|&&at| nodes[at].op_type == "Conv").count()
        };
        assert_eq!(convolutions(&quantizer.plan), 3);
        // A value that is not rounded keeps those that give it and read it in floats, and no others.
        let network = Network::of(&quantizer.model).unwrap();
        let plan = Plan::of(&network, &BTreeSet::from(["joined".to_string()]));
        let rounded: Vec<&str> = plan.values.keys().map(String::as_str).collect();
        assert_eq!((rounded, convolutions(&plan)), (vec!["a", "b/conv/before-pool", "stem"], 2));
    }

    #[test]
    fn the_file_has_rounding_around_each_operator_and_is_not_quantized_twice() {
        let write = || {
            let quantizer = Quantizer::new(&network()).unwrap();
            let mut observed = BTreeMap::new();
            for (value, mut one) in quantizer.to_observe().unwrap() {
                let channels = if value == "joined" || value == "c" || value == "sum" { 5 } else { 4 };
                one.add(channels, &(0..channels * 9).map(|i| (i % 13) as f32 / 3.0).collect::<Vec<_>>());
                observed.insert(value, one);
            }
            quantizer.calibrated(observed, 8).write(&BTreeSet::new(), &[("key", "other")]).unwrap().onnx
        };
        let bytes = write();
        assert_eq!(bytes, write(), "the same observations give the same bytes");
        let model = OnnxModel::parse(&bytes).unwrap();
        assert_eq!((model.metadata("key"), model.metadata(WEIGHT_BITS_KEY)), (Some("other"), Some("8")));
        let found = ops(&model);
        let count = |op: &str| found.iter().filter(|found| *found == op).count();
        assert_eq!(count("QuantizeLinear"), 7, "each value once: {found:?}");
        assert_eq!(
            count("DequantizeLinear"),
            7 + 2 * 3,
            "each value, and weights and bias of each convolution"
        );
        let nodes = model.nodes().unwrap();
        let names: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names.len(), nodes.len(), "the runtime refuses two nodes of one name");
        let of = |name: &str| nodes.iter().find(|n: &&NodeProto| n.output[0] == name).unwrap();
        assert_eq!(of("joined").op_type, "DequantizeLinear", "the value keeps its name");
        let weight = of("joined/float");
        assert_eq!(
            (&weight.op_type[..], &weight.input[..]),
            ("Concat", &["a".to_string(), "b".to_string()][..])
        );
        let refused = Quantizer::new(&bytes).err().unwrap();
        assert!(refused.to_string().contains("quantized already"), "{refused}");
    }

    #[test]
    fn a_network_without_another_convolution_is_refused() {
        let mut graph = GraphBuilder::new("one", 8);
        graph.weight("w", &[2, 3, 1, 1], &[1.0; 6]);
        graph.node("Conv", &["input", "w"], "first", Vec::new());
        graph.node("Sigmoid", &["first"], "second", Vec::new());
        graph.output("second", 2);
        let refused = Quantizer::new(&graph.finish(&[])).err().unwrap();
        assert!(refused.to_string().contains("no convolution"), "{refused}");
        assert!(refused.remedy().unwrap().contains("Conv, Sigmoid"), "{:?}", refused.remedy());
    }
}
