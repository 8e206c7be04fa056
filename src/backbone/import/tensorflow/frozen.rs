//! Frozen graphs: a `GraphDef` whose variables became constants.

use super::messages::{DT_FLOAT, GraphDef, TensorProto};
use crate::backbone::import::tensors::{Tensors, count, fail, from_le_bytes};
use crate::error::Result;
use prost::Message;
use std::collections::HashSet;

/// Most values of a constant that is stored as one value.
const MAX_FILL: usize = 4096;

/// Reads the weights of a frozen graph: the constants that were variables. Those are read through an `Identity`; the graph
/// of 2015 has no such nodes, and there all constants but single numbers are weights.
///
/// # Errors
/// [`Kind::Backbone`](crate::error::Kind::Backbone) when it is damaged.
pub fn read_frozen(bytes: &[u8]) -> Result<Tensors> {
    let graph = GraphDef::decode(bytes).map_err(|e| fail("it is not a frozen graph").because(e))?;
    let identities = graph.node.iter().filter(|node| node.op == "Identity");
    let read: HashSet<String> = identities.filter_map(|node| node.input.first().cloned()).collect();
    // Other identities read what other nodes compute.
    let has_reads = graph.node.iter().any(|node| node.op == "Const" && read.contains(&node.name));
    let mut tensors = Tensors::default();
    for mut node in graph.node {
        if node.op != "Const" || (has_reads && !read.contains(&node.name)) {
            continue;
        }
        let tensor = node.attr.remove("value").and_then(|value| value.tensor);
        let tensor = tensor.ok_or_else(|| fail(format!("the constant {} has no value", node.name)))?;
        let shape = tensor.shape.clone().unwrap_or_default().sizes(&node.name)?;
        if tensor.dtype == DT_FLOAT && !shape.is_empty() {
            let values = values(tensor, &shape);
            let values = values.ok_or_else(|| fail(format!("{} lacks values for {shape:?}", node.name)))?;
            tensors.insert(node.name, shape, values)?;
        }
    }
    if tensors.is_empty() {
        return Err(
            fail("the graph holds no weights").help("give a frozen graph, whose variables are constants")
        );
    }
    Ok(tensors)
}

/// The values of a constant. Where the last ones are equal they may be stored once.
fn values(tensor: TensorProto, shape: &[usize]) -> Option<Vec<f32>> {
    let n = count(shape)?;
    if !tensor.content.is_empty() {
        return (n.checked_mul(4)? == tensor.content.len()).then(|| from_le_bytes(&tensor.content));
    }
    let mut values = tensor.floats;
    if values.len() != n {
        let last = *values.last()?;
        if n > MAX_FILL || values.len() > n {
            return None;
        }
        values.resize(n, last);
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_may_be_stored_once_but_not_without_bound() {
        let tensor = |floats: &[f32]| TensorProto { floats: floats.to_vec(), ..TensorProto::default() };
        assert_eq!(values(tensor(&[1.0, 2.0]), &[4]), Some(vec![1.0, 2.0, 2.0, 2.0]));
        assert_eq!(values(tensor(&[1.0]), &[1 << 40]), None);
        assert_eq!(values(tensor(&[]), &[2]), None);
        assert_eq!(values(tensor(&[1.0; 3]), &[2]), None);
        assert_eq!(values(TensorProto { content: vec![0; 7], ..TensorProto::default() }, &[2]), None);
    }
}
