//! Finds the node that a message of the runtime speaks of.

use super::messages::NodeProto;
use crate::error::Error;
use std::collections::HashSet;

/// The operators of a graph, for messages of the runtime.
#[derive(Debug)]
pub(in crate::backbone) struct Operators {
    nodes: Vec<NodeProto>,
    /// Version of each operator set by its domain; ONNX' own has an empty one.
    opsets: Vec<(String, i64)>,
}

impl Operators {
    pub(super) fn new(nodes: Vec<NodeProto>, opsets: Vec<(String, i64)>) -> Self {
        Self { nodes, opsets }
    }

    /// Whether some of them round values to integers.
    pub fn round_values(&self) -> bool {
        let rounds =
            |node: &NodeProto| matches!(&node.op_type[..], "QuantizeLinear" | "DynamicQuantizeLinear");
        self.nodes.iter().any(rounds)
    }

    /// Adds the node that the runtime speaks of to `error`, with its operator and the version of its operator set.
    pub fn locate(&self, error: Error) -> Error {
        let text = error.with_causes();
        let Some(node) = self.find(&text) else { return error };
        let version = self.opsets.iter().find(|(domain, _)| *domain == node.domain);
        let version = version.map_or_else(|| "none".to_string(), |(_, version)| version.to_string());
        let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
        let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
        let place = format!(
            "at node {:?}, operator {} of {domain}, opset {version}",
            name.map_or("", String::as_str),
            node.op_type
        );
        let message = error.to_string();
        let cause = text.strip_prefix(&message).unwrap_or_default().trim_start_matches(": ").to_string();
        let located = Error::new(error.kind(), format!("{message} {place}"));
        let located = if cause.is_empty() { located } else { located.because(cause) };
        located
            .help(error.remedy().unwrap_or("export the network again with another opset or other operators"))
    }

    /// The node whose name or, failing that, whose operator is in `text`.
    fn find(&self, text: &str) -> Option<&NodeProto> {
        let words: HashSet<&str> = text
            .split(|c: char| c.is_whitespace() || "'\"(),".contains(c))
            .filter(|w| !w.is_empty())
            .collect();
        // `Name:'x'` and `com.example:Op(-1)`.
        let tails: HashSet<&str> = words.iter().filter_map(|word| word.rsplit(':').next()).collect();
        let is_there = |name: &String| words.contains(name.as_str()) || tails.contains(name.as_str());
        let by_name = self.nodes.iter().find(|node| !node.name.is_empty() && is_there(&node.name));
        by_name.or_else(|| self.nodes.iter().find(|node| is_there(&node.op_type)))
    }
}
