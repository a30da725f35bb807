//! When each buffer holds something, and which edges share one.

use crate::graph::EdgeId;
use crate::quantize::{IntegerGraph, IntegerNode, Kernel};
use microtome_plan::ArenaAt;

/// A piece of the arena, from the first write to the last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes, a multiple of [`ArenaAt::ALIGN`].
    pub size: usize,
    /// The moment of the first write. Moment 0 is before the first step; step `i` is moment
    /// `i + 1`.
    pub first: usize,
    /// The moment of the last read.
    pub last: usize,
}

impl Buffer {
    /// Whether both hold something at the same moment.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The buffers of a graph.
#[derive(Clone, Debug)]
pub struct Lifetimes {
    /// The buffers.
    pub buffers: Vec<Buffer>,
    /// The buffer of each edge, by [`EdgeId`].
    pub buffer_of_edge: Vec<usize>,
    /// Operands of each node, swapped where an addition works in place on its second.
    pub operands: Vec<Vec<EdgeId>>,
}

impl Lifetimes {
    /// Lifetimes in the order of the graph's nodes. Inputs live from before the first step, and
    /// their memory is free after their last use; outputs live to the end.
    pub fn new(graph: &IntegerGraph) -> Self {
        let last_reads = last_reads(graph);
        let mut lifetimes = Self {
            buffers: Vec::new(),
            buffer_of_edge: vec![usize::MAX; graph.edges.len()],
            operands: Vec::new(),
        };
        for port in &graph.inputs {
            lifetimes.add(graph, port.edge, 0, &last_reads);
        }
        for (step, node) in graph.nodes.iter().enumerate() {
            let moment = step + 1;
            let operands = in_place_first(node, moment, &last_reads);
            let replaceable = match &*operands {
                [first, rest @ ..] => last_reads[first.0] == moment && !rest.contains(first),
                [] => false,
            };
            if node.kernel.in_place() && replaceable {
                let buffer = lifetimes.buffer_of_edge[operands[0].0];
                lifetimes.buffer_of_edge[node.output.0] = buffer;
                let last = last_reads[node.output.0].max(moment);
                lifetimes.buffers[buffer].last = last;
            } else {
                lifetimes.add(graph, node.output, moment, &last_reads);
            }
            lifetimes.operands.push(operands);
        }
        lifetimes
    }

    fn add(&mut self, graph: &IntegerGraph, edge: EdgeId, first: usize, last_reads: &[usize]) {
        self.buffer_of_edge[edge.0] = self.buffers.len();
        self.buffers.push(Buffer {
            size: graph.edges[edge.0].len.next_multiple_of(ArenaAt::ALIGN),
            first,
            last: last_reads[edge.0].max(first),
        });
    }
}

/// The largest sum of sizes of buffers that live at the same moment.
pub fn largest_live_set(buffers: &[Buffer]) -> usize {
    let live_at = |moment: usize| {
        let live = buffers.iter();
        let live = live.filter(|buffer| buffer.first <= moment && moment <= buffer.last);
        live.map(|buffer| buffer.size).sum()
    };
    let moments = buffers.iter().map(|buffer| buffer.first);
    moments.map(live_at).max().unwrap_or(0)
}

/// The moment of each edge's last read; the outputs are read after the last step.
fn last_reads(graph: &IntegerGraph) -> Vec<usize> {
    let mut last = vec![0; graph.edges.len()];
    for (step, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            last[input.0] = step + 1;
        }
    }
    for port in &graph.outputs {
        last[port.edge.0] = graph.nodes.len() + 1;
    }
    last
}

/// The operands of `node`, those of an addition swapped if only the second dies there.
fn in_place_first(node: &IntegerNode, moment: usize, last_reads: &[usize]) -> Vec<EdgeId> {
    match (&node.kernel, &*node.inputs) {
        (Kernel::Add(_), &[a, b]) if last_reads[a.0] != moment && last_reads[b.0] == moment => {
            vec![b, a]
        }
        _ => node.inputs.clone(),
    }
}
