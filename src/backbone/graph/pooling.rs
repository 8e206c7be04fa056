//! Features from a layer with tokens or with the channels last: a layer called `NAME[POOL]` is computed from the value `NAME`.

use super::builder::encoded_node;
use super::messages::{AttributeProto, INT64, TensorProto};
use super::model::OnnxModel;
use crate::error::{Error, Result};
use prost::Message;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// How the values of a layer become one row of features for each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pool {
    /// The first token of `[batch, tokens, width]`.
    Cls,
    /// The mean of all tokens of `[batch, tokens, width]`.
    Mean,
    /// The mean of all tokens but the first.
    MeanPatches,
    /// The mean over the positions of `[batch, height, width, channels]`.
    ChannelsLast,
}

impl Pool {
    const ALL: [Self; 4] = [Self::Cls, Self::Mean, Self::MeanPatches, Self::ChannelsLast];

    /// Returns the name of `layer` pooled in this way. A way that `layer` names already is replaced.
    pub fn of_layer(self, layer: &str) -> String {
        let base = Self::split(layer).map_or(layer, |(base, _)| base);
        format!("{base}[{self}]")
    }

    /// Splits `NAME[POOL]`.
    fn split(layer: &str) -> Option<(&str, Self)> {
        let (base, pool) = layer.strip_suffix(']')?.rsplit_once('[')?;
        Some((base, pool.parse().ok()?))
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
            Self::MeanPatches => "mean-patches",
            Self::ChannelsLast => "channels-last",
        })
    }
}

impl FromStr for Pool {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|pool| pool.to_string() == text).ok_or_else(|| {
            Error::not_one_of(text, "a way to pool", &["cls", "mean", "mean-patches", "channels-last"])
        })
    }
}

impl OnnxModel {
    /// Adds the nodes that compute the layers of `text`, joined by `+`, which are called `NAME[POOL]`. A value that has such a
    /// name itself is left alone.
    pub(super) fn add_pooled(&mut self, text: &str) -> Result<()> {
        let nodes = self.nodes()?;
        let values: HashSet<&str> = nodes.iter().flat_map(|node| &node.output).map(String::as_str).collect();
        if values.contains(text) {
            return Ok(());
        }
        let mut added = HashSet::new();
        for layer in text.split('+').filter(|layer| !values.contains(layer)) {
            match Pool::split(layer) {
                Some((base, pool)) if values.contains(base) && added.insert(layer) => {
                    self.add_pool(base, pool, layer);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_pool(&mut self, base: &str, pool: Pool, layer: &str) {
        let graph = self.graph_mut();
        let inner = |step: &str| format!("{layer}/{step}");
        let transpose = |from: &str, to: &str, order: &[i64]| {
            encoded_node("Transpose", &[from], to, vec![AttributeProto::ints("perm", order)])
        };
        let tokens = match pool {
            Pool::Cls => {
                graph.initializer.push(int64(inner("first"), &[], &[0]));
                let axis = vec![AttributeProto::int("axis", 1)];
                graph.node.push(encoded_node("Gather", &[base, &inner("first")], layer, axis));
                return;
            }
            Pool::ChannelsLast => {
                graph.node.push(transpose(base, layer, &[0, 3, 1, 2]));
                return;
            }
            Pool::Mean => base.to_string(),
            Pool::MeanPatches => {
                let bounds = [("start", 1), ("end", i64::MAX), ("axis", 1)];
                graph.initializer.extend(bounds.map(|(step, value)| int64(inner(step), &[1], &[value])));
                let inputs = [base, &inner("start"), &inner("end"), &inner("axis")];
                graph.node.push(encoded_node("Slice", &inputs, &inner("patches"), Vec::new()));
                inner("patches")
            }
        };
        // These operators are the same in every version of ONNX.
        let (by_channel, mean) = (inner("by-channel"), inner("mean"));
        graph.node.push(transpose(&tokens, &by_channel, &[0, 2, 1]));
        graph.node.push(encoded_node("GlobalAveragePool", &[&by_channel], &mean, Vec::new()));
        graph.node.push(encoded_node("Flatten", &[&mean], layer, vec![AttributeProto::int("axis", 1)]));
    }
}

/// Encodes a weight of 64-bit integers.
pub(super) fn int64(name: String, dims: &[i64], values: &[i64]) -> Vec<u8> {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorProto { dims: dims.to_vec(), data_type: INT64, name, raw_data }.encode_to_vec()
}
