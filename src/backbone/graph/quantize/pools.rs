//! Moves average pools behind the 1x1 convolutions that follow them. Both are linear, so the values stay the same; there are
//! fewer channels to average, and the runtime's pool of integers, which is slower than all convolutions beside it, is not needed.

use super::network::{Network, edited, float_tensor};
use crate::backbone::graph::messages::{GraphProto, NodeProto, NodeValues};
use crate::backbone::graph::model::OnnxModel;
use crate::backbone::graph::shapes::{attribute, int, sizes};
use crate::error::Result;
use prost::Message;

/// Moves each pool that can be moved.
pub(super) fn move_pools(model: &mut OnnxModel) -> Result<()> {
    let network = Network::of(model)?;
    let mut nodes = edited(model.graph())?;
    let mut added = Vec::new();
    let mut behind: Vec<Vec<NodeValues>> = vec![Vec::new(); nodes.len()];
    for (pool, conv) in movable(&network) {
        let output = nodes[conv].output[0].clone();
        let [convolved, pooled] = [format!("{output}/before-pool"), format!("{output}/pooled")];
        let mut of_pool = nodes[pool].clone();
        let mut of_conv = nodes[conv].clone();
        of_conv.input[0].clone_from(&nodes[pool].input[0]);
        let bias = if of_conv.input.len() > 2 { of_conv.input.pop() } else { None };
        let bias = bias.filter(|name| !name.is_empty());
        of_pool.input[0].clone_from(&convolved);
        (of_conv.output[0], of_conv.name) = (convolved.clone(), convolved);
        // The padding that a pool counts must not count the bias.
        if let Some(bias) = bias {
            let by_channel = format!("{bias}/by-channel");
            let values = network.kernel(&bias).map(|bias| bias.values).unwrap_or_default();
            added.push(float_tensor(&by_channel, &[1, values.len(), 1, 1], &values));
            behind[conv].push(add(&pooled, &by_channel, &output));
            (of_pool.output[0], of_pool.name) = (pooled.clone(), pooled);
        } else {
            (of_pool.output[0], of_pool.name) = (output.clone(), output);
        }
        (nodes[pool], nodes[conv]) = (of_conv, of_pool);
    }
    let ordered =
        nodes.into_iter().zip(behind).flat_map(|(node, behind)| std::iter::once(node).chain(behind));
    let graph = model.graph_mut();
    graph.node = ordered.map(|node| node.encode_to_vec()).collect();
    graph.initializer.extend(added);
    remove_unused(graph)
}

fn add(a: &str, b: &str, output: &str) -> NodeValues {
    NodeValues {
        input: vec![a.into(), b.into()],
        output: vec![output.into()],
        name: output.into(),
        op_type: "Add".into(),
        ..NodeValues::default()
    }
}

/// The pools whose only reader is a 1x1 convolution, with it.
fn movable(network: &Network) -> Vec<(usize, usize)> {
    let is_pool = |node: &NodeProto| node.op_type == "AveragePool" && node.output.len() == 1;
    let pools = network.nodes.iter().enumerate().filter(|(_, node)| is_pool(node));
    let with_conv = pools.filter_map(|(at, pool)| Some((at, network.only_reader(&pool.output[0])?)));
    with_conv.filter(|&(_, conv)| is_pointwise(network, &network.nodes[conv])).collect()
}

/// Whether a node is a convolution that sees one position at a time, all channels of it.
fn is_pointwise(network: &Network, node: &NodeProto) -> bool {
    let all = |name: &str, value: usize| sizes(node, name).is_none_or(|v| v.iter().all(|&v| v == value));
    let kernel = node.input.get(1).and_then(|name| network.kernel(name));
    let bias = node.input.get(2).filter(|name| !name.is_empty());
    node.op_type == "Conv"
        && kernel.is_some_and(|kernel| kernel.dims.len() == 4 && kernel.dims[2..] == [1, 1])
        && bias.is_none_or(|name| network.kernel(name).is_some())
        && all("strides", 1)
        && all("pads", 0)
        && int(node, "group", 1) == 1
        && attribute(node, "auto_pad").is_none()
}

/// Removes the weights that no node reads.
pub(super) fn remove_unused(graph: &mut GraphProto) -> Result<()> {
    let nodes = edited(graph)?;
    let used: std::collections::HashSet<&str> =
        nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    let outputs: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    graph.initializer.retain(|bytes| {
        let name = super::network::tensor_name(bytes);
        used.contains(name.as_str()) || outputs.contains(&name)
    });
    Ok(())
}
