//! Graphs for TensorBoard: nodes under names that group them, without weights.

use super::messages::{Attr, AttrValue, Dim, GraphDef, Integers, NodeDef, Shape};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A node whose outputs other nodes take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// What others take from it; of one value it is also the node's name. `/` groups.
    pub outputs: Vec<String>,
    /// The operation.
    pub op: String,
    /// What it takes; values that no node gives are left out.
    pub inputs: Vec<String>,
    /// Whole numbers that it is set by, by name.
    pub settings: Vec<(String, Vec<i64>)>,
    /// The shape of its weight or value, -1 for what is not fixed; empty where it has none.
    pub shape: Vec<i64>,
}

/// The message of these nodes. A node that is called as a group is becomes the group's member by its operation
/// (`Mixed_5b` -> `Mixed_5b/Concat`), as TF-Slim has it.
pub(super) fn message(nodes: &[Node]) -> GraphDef {
    let clean: Vec<String> =
        nodes.iter().map(|node| clean(node.outputs.first().map_or("", |name| name))).collect();
    let groups: HashSet<&str> =
        clean.iter().flat_map(|name| name.match_indices('/').map(|(at, _)| &name[..at])).collect();
    let mut taken = HashSet::new();
    let mut names = Vec::new();
    for (node, clean) in nodes.iter().zip(&clean) {
        let wanted = match clean.is_empty() || groups.contains(&clean[..]) {
            true => format!("{clean}/{}", member(&node.op)).trim_start_matches('/').to_string(),
            false => clean.clone(),
        };
        let free = |name: &String| !taken.contains(name) && (*name == *clean || !groups.contains(&name[..]));
        let numbered = (1..).map(|i| format!("{wanted}_{i}"));
        let name = std::iter::once(wanted.clone()).chain(numbered).find(free).expect("numbers do not end");
        taken.insert(name.clone());
        names.push(name);
    }
    let mut givers: HashMap<&str, String> = HashMap::new();
    for (node, name) in nodes.iter().zip(&names) {
        for (i, output) in node.outputs.iter().enumerate() {
            givers.insert(output, if i == 0 { name.clone() } else { format!("{name}:{i}") });
        }
    }
    let inputs =
        |node: &Node| node.inputs.iter().filter_map(|input| givers.get(&input[..]).cloned()).collect();
    let define = |(node, name): (&Node, &String)| NodeDef {
        name: name.clone(),
        op: node.op.clone(),
        input: inputs(node),
        attr: attributes(node),
    };
    GraphDef { node: nodes.iter().zip(&names).map(define).collect() }
}

/// What a member of a group is called by its operation.
fn member(op: &str) -> String {
    let name = clean(op).replace('/', "_");
    if name.is_empty() { "node".into() } else { name }
}

fn attributes(node: &Node) -> BTreeMap<String, AttrValue> {
    let list = |(name, values): &(String, Vec<i64>)| {
        (name.clone(), AttrValue { value: Some(Attr::List(Integers { i: values.clone() })) })
    };
    let dim = node.shape.iter().map(|&size| Dim { size }).collect();
    let shape = (!node.shape.is_empty())
        .then(|| ("shape".to_string(), AttrValue { value: Some(Attr::Shape(Shape { dim })) }));
    node.settings.iter().map(list).chain(shape).collect()
}

/// A name that TensorBoard takes: no `/` at the ends, none twice in a row, and none of the characters that mean something
/// to it (`:` numbers outputs, `^` orders without data).
fn clean(name: &str) -> String {
    let part = |part: &str| -> String {
        part.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect()
    };
    name.split('/').filter(|p| !p.is_empty()).map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Node {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
        Node { op: op.into(), inputs: text(inputs), outputs: text(outputs), ..Node::default() }
    }

    fn told(nodes: &[Node]) -> Vec<(String, Vec<String>)> {
        message(nodes).node.into_iter().map(|node| (node.name, node.input)).collect()
    }

    #[test]
    fn what_is_called_as_a_group_becomes_its_member() {
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
        for ((name, given), (expected, taken)) in told(&nodes).iter().zip(names.iter().zip(inputs)) {
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
    fn names_stay_apart_whatever_they_are() {
        let nodes = [
            node("A", &[], &["x/A"]),
            node("B", &[], &["x/A/y"]),
            node("A", &[], &["x"]),
            node("A", &[], &["x"]),
        ];
        let told = told(&nodes);
        let names: HashSet<&String> = told.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 4, "{told:?}");
        for name in &names {
            assert!(!names.iter().any(|other| other.starts_with(&format!("{name}/"))), "{told:?}");
        }
    }
}
