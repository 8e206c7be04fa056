//! Graphs for TensorBoard: nodes named so that it can group them, without weights.

use super::messages::{Attr, AttrValue, Dim, GraphDef, Integers, NodeDef, Shape};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A node of a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphNode {
    /// Names of its output values. The first one names the node; `/` separates groups.
    pub outputs: Vec<String>,
    /// The operation.
    pub op: String,
    /// Names of its input values. Those that are no output of any node are left out.
    pub inputs: Vec<String>,
    /// Integer attributes, (name, values).
    pub settings: Vec<(String, Vec<i64>)>,
    /// Shape of its weight or value, -1 for a size that is not fixed; empty where it has none.
    pub shape: Vec<i64>,
}

/// Builds the message of a graph.
pub(super) fn message(nodes: &[GraphNode]) -> GraphDef {
    let names = unique_names(nodes);
    let mut sources: HashMap<&str, String> = HashMap::new();
    for (node, name) in nodes.iter().zip(&names) {
        for (i, output) in node.outputs.iter().enumerate() {
            sources.insert(output, if i == 0 { name.clone() } else { format!("{name}:{i}") });
        }
    }
    let inputs =
        |node: &GraphNode| node.inputs.iter().filter_map(|input| sources.get(&input[..]).cloned()).collect();
    let define = |(node, name): (&GraphNode, &String)| NodeDef {
        name: name.clone(),
        op: node.op.clone(),
        input: inputs(node),
        attr: attributes(node),
    };
    GraphDef { node: nodes.iter().zip(&names).map(define).collect() }
}

/// Gives each node a valid and unique name. A node with the name of a group becomes a member of the group, named by its
/// operation, as in TF-Slim: `Mixed_5b` -> `Mixed_5b/Concat`.
fn unique_names(nodes: &[GraphNode]) -> Vec<String> {
    let valid: Vec<String> =
        nodes.iter().map(|node| valid_name(node.outputs.first().map_or("", |name| name))).collect();
    let groups: HashSet<&str> =
        valid.iter().flat_map(|name| name.match_indices('/').map(|(at, _)| &name[..at])).collect();
    let mut used = HashSet::new();
    let mut names = Vec::new();
    for (node, valid) in nodes.iter().zip(&valid) {
        let wanted = match valid.is_empty() || groups.contains(&valid[..]) {
            true => format!("{valid}/{}", member_name(&node.op)).trim_start_matches('/').to_string(),
            false => valid.clone(),
        };
        let is_free = |name: &String| !used.contains(name) && (name == valid || !groups.contains(&name[..]));
        let numbered = (1..).map(|i| format!("{wanted}_{i}"));
        let name = std::iter::once(wanted.clone()).chain(numbered).find(is_free).expect("numbers do not end");
        used.insert(name.clone());
        names.push(name);
    }
    names
}

/// Names a member of a group by its operation.
fn member_name(op: &str) -> String {
    let name = valid_name(op).replace('/', "_");
    if name.is_empty() { "node".into() } else { name }
}

fn attributes(node: &GraphNode) -> BTreeMap<String, AttrValue> {
    let list = |(name, values): &(String, Vec<i64>)| {
        (name.clone(), AttrValue { value: Some(Attr::List(Integers { i: values.clone() })) })
    };
    let dim = node.shape.iter().map(|&size| Dim { size }).collect();
    let shape = (!node.shape.is_empty())
        .then(|| ("shape".to_string(), AttrValue { value: Some(Attr::Shape(Shape { dim })) }));
    node.settings.iter().map(list).chain(shape).collect()
}

/// Makes a name valid for TensorBoard: no empty group, and `_` in place of special characters (`:` numbers outputs, `^` marks
/// control inputs).
fn valid_name(name: &str) -> String {
    let part = |part: &str| -> String {
        part.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect()
    };
    name.split('/').filter(|p| !p.is_empty()).map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> GraphNode {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
        GraphNode { op: op.into(), inputs: text(inputs), outputs: text(outputs), ..GraphNode::default() }
    }

    fn names_and_inputs(nodes: &[GraphNode]) -> Vec<(String, Vec<String>)> {
        message(nodes).node.into_iter().map(|node| (node.name, node.input)).collect()
    }

    #[test]
    fn a_node_named_like_a_group_becomes_its_member() {
        let nodes = [
            node("Placeholder", &[], &["input"]),
            node("Conv", &["input", "weights"], &["Conv2d/conv"]),
            node("Relu", &["Conv2d/conv"], &["Conv2d"]),
            node("Split", &["Conv2d"], &["/odd//name:0/", "second"]),
            node("Add", &["second", "/odd//name:0/"], &["a^b"]),
            node("Sub", &[], &["a:b"]),
            node("Sub", &[], &[]),
        ];
        let names = ["input", "Conv2d/conv", "Conv2d/Relu", "odd/name_0", "a_b", "a_b_1", "Sub"];
        let inputs: [&[&str]; 7] =
            [&[], &["input"], &["Conv2d/conv"], &["Conv2d/Relu"], &["odd/name_0:1", "odd/name_0"], &[], &[]];
        for ((name, given), (expected, taken)) in
            names_and_inputs(&nodes).iter().zip(names.iter().zip(inputs))
        {
            assert_eq!((name, &given[..]), (&(*expected).to_string(), &taken.map_owned()[..]));
        }
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }
    impl MapOwned for &[&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|s| (*s).to_string()).collect()
        }
    }

    #[test]
    fn names_stay_unique() {
        let nodes = [
            node("A", &[], &["x/A"]),
            node("B", &[], &["x/A/y"]),
            node("A", &[], &["x"]),
            node("A", &[], &["x"]),
        ];
        let found = names_and_inputs(&nodes);
        let names: HashSet<&String> = found.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 4, "{found:?}");
        for name in &names {
            assert!(!names.iter().any(|other| other.starts_with(&format!("{name}/"))), "{found:?}");
        }
    }
}
