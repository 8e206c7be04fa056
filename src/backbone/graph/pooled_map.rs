//! Finds the map of positions whose mean is a layer: the value before the last pool.

use super::messages::{NodeProto, TensorProto};
use super::model::OnnxModel;
use super::pooling::Pool;
use super::shapes::attribute;
use crate::error::Result;
use prost::Message;
use std::collections::HashMap;

/// Returns the name of the value whose mean over its positions may be `layer`: the input of the pool before it, else `layer`
/// itself. Whether it has positions, and whether its mean is the layer, is known when the network runs. `None` for several
/// layers, which have several maps.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when `model` is not a usable ONNX model.
pub fn pooled_map(model: &[u8], layer: &str) -> Result<Option<String>> {
    let mut model = OnnxModel::parse(model)?;
    model.add_pooled(layer)?;
    let nodes = model.nodes()?;
    let producers: HashMap<&str, &NodeProto> =
        nodes.iter().flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node))).collect();
    if !producers.contains_key(layer) && layer.contains('+') {
        return Ok(None);
    }
    let mut value = layer;
    // A value has one producer, and a graph has no circles, unless the file is damaged.
    for _ in 0..nodes.len() {
        let Some((node, input)) = producers.get(value).and_then(|node| Some((*node, node.input.first()?)))
        else {
            break;
        };
        match node.op_type.as_str() {
            "Flatten" | "Squeeze" | "Reshape" | "Identity" | "Dropout" => value = input,
            "GlobalAveragePool" | "AveragePool" => return Ok(Some(input.clone())),
            "ReduceMean" => match axes(node, &model).as_deref() {
                Some([2, 3] | [-2, -1]) => return Ok(Some(input.clone())),
                Some([1, 2] | [-3, -2]) => return Ok(Some(Pool::ChannelsLast.of_layer(input))),
                _ => break,
            },
            _ => break,
        }
    }
    Ok(Some(layer.to_string()))
}

/// The axes of a reduction: an attribute, or since version 18 of the operators a weight.
fn axes(node: &NodeProto, model: &OnnxModel) -> Option<Vec<i64>> {
    if let Some(axes) = attribute(node, "axes") {
        return Some(axes.ints.clone());
    }
    let name = node.input.get(1)?;
    let tensors = model.graph().initializer.iter().filter_map(|bytes| TensorProto::decode(&bytes[..]).ok());
    let axes = tensors.into_iter().find(|tensor| tensor.name == *name)?;
    Some(axes.raw_data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().expect("8 bytes"))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::builder::GraphBuilder;
    use super::super::messages::AttributeProto;
    use super::*;

    /// A map, its mean by `op`, and the mean as a row.
    fn network(op: &str, attributes: Vec<AttributeProto>) -> Vec<u8> {
        let mut builder = GraphBuilder::new("pooled", 8);
        builder.node("Relu", &["input"], "map", Vec::new());
        builder.node(op, &["map"], "mean", attributes);
        builder.node("Flatten", &["mean"], "row", Vec::new());
        builder.node("Relu", &["row"], "behind", Vec::new());
        builder.output("behind", 3);
        builder.finish(&[])
    }

    #[test]
    fn the_map_is_the_input_of_the_pool() {
        let axes = |axes: &[i64]| vec![AttributeProto::ints("axes", axes)];
        let pooled = [
            ("GlobalAveragePool", Vec::new(), "map"),
            ("ReduceMean", axes(&[2, 3]), "map"),
            ("ReduceMean", axes(&[1, 2]), "map[channels-last]"),
            ("ReduceMean", axes(&[1, 3]), "row"),
            ("GlobalMaxPool", Vec::new(), "row"),
        ];
        let map = |model: &[u8], layer: &str| pooled_map(model, layer).unwrap();
        for (op, attributes, expected) in pooled {
            assert_eq!(map(&network(op, attributes), "row").unwrap(), expected, "{op}");
        }
        let model = network("GlobalAveragePool", Vec::new());
        assert_eq!(map(&model, "mean").unwrap(), "map");
        assert_eq!(map(&model, "map").unwrap(), "map");
        assert_eq!(map(&model, "behind").unwrap(), "behind", "a row of its own is the mean of nothing");
        assert_eq!(map(&model, "row+map"), None);
    }
}
