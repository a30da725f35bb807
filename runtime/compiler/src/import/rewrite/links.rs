//! What rules need that make one operator of several nodes: who makes and who reads a value.

use super::rewriter::Rewriter;
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::NodeProto;

/// Groups of nodes that become something as a whole.
#[derive(Default)]
pub(super) struct Wholes {
    /// What becomes of a group, by the index of the node in whose place it is put.
    pub nodes: HashMap<usize, Vec<NodeProto>>,
    /// The other nodes of a group, and that index.
    pub parts: HashMap<usize, usize>,
}

/// Who makes and who reads each value.
pub(super) struct Links<'a> {
    nodes: &'a [NodeProto],
    makers: HashMap<&'a str, usize>,
    readers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<String>,
}

impl<'a> Links<'a> {
    pub(super) fn new(cx: &Rewriter<'a>) -> Self {
        let nodes = cx.source();
        let mut makers = HashMap::new();
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            for output in &node.output {
                makers.insert(&**output, index);
            }
            for input in &node.input {
                readers.entry(input).or_default().push(index);
            }
        }
        Self {
            nodes,
            makers,
            readers,
            outputs: cx.outputs.clone(),
        }
    }

    /// The node that makes `value`, if it is an `op`.
    pub(super) fn maker(&self, value: &str, op: &str) -> Option<(usize, &'a NodeProto)> {
        let &index = self.makers.get(value)?;
        let node = &self.nodes[index];
        (node.op_type == op).then_some((index, node))
    }

    /// The only use of `value`, if it is an `op`.
    pub(super) fn only_reader(&self, value: &str, op: &str) -> Option<(usize, &'a NodeProto)> {
        let [index] = **self.readers.get(value)? else {
            return None;
        };
        let node = &self.nodes[index];
        (node.op_type == op && !self.outputs.contains(value)).then_some((index, node))
    }

    /// Whether `node` makes nothing that any but `readers` read.
    pub(super) fn is_read_by(&self, node: &NodeProto, readers: &HashMap<usize, usize>) -> bool {
        node.output.iter().all(|value| {
            let found = self.readers.get(&**value).into_iter().flatten();
            !self.outputs.contains(&**value) && found.copied().all(|it| readers.contains_key(&it))
        })
    }
}
