//! When each buffer holds something, and which edges share one.

use crate::graph::EdgeId;
use crate::select::{KernelGraph, KernelNode};
use microtome_kernels::Extent;
use microtome_kernels::float::binary::BinaryKind;
use microtome_plan::{ArenaAt, Op};
use std::mem::swap;

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
    /// The buffer of each edge, by [`EdgeId`]; none of a constant or of what nobody makes.
    pub buffer_of_edge: Vec<Option<usize>>,
    /// The buffers of what each node keeps from run to run.
    pub state: Vec<Vec<usize>>,
    /// The buffer of each node's scratch, if it has any.
    pub scratch: Vec<Option<usize>>,
}

impl Lifetimes {
    /// Lifetimes in the order of the graph's nodes, whose operands are swapped where an addition
    /// works in place on its second. Inputs live from before the first step, and their memory is
    /// free after their last use; outputs live to the end, and so does what is kept.
    pub fn new(graph: &mut KernelGraph) -> Self {
        let last_reads = last_reads(graph);
        let mut lifetimes = Self {
            buffers: Vec::new(),
            buffer_of_edge: vec![None; graph.edges.len()],
            state: Vec::new(),
            scratch: Vec::new(),
        };
        for port in &graph.inputs {
            lifetimes.add_edge(graph, port.edge, 0, &last_reads);
        }
        let end = graph.nodes.len() + 1;
        for step in 0..graph.nodes.len() {
            let moment = step + 1;
            in_place_first(graph, step, &last_reads);
            lifetimes.add_outputs(graph, step, &last_reads);
            let operator = graph.nodes[step].op.operator();
            let state = operator.state();
            let kept = state.iter().map(|extent| {
                // It has to be there before the first step of a run and after the last one.
                lifetimes.add(extent.bytes(), 0, end)
            });
            let kept = kept.collect();
            lifetimes.state.push(kept);
            let scratch = operator.scratch_bytes();
            let scratch = (scratch > 0).then(|| lifetimes.add(scratch, moment, moment));
            lifetimes.scratch.push(scratch);
        }
        lifetimes
    }

    fn add_outputs(&mut self, graph: &KernelGraph, step: usize, last_reads: &[usize]) {
        let moment = step + 1;
        let node = &graph.nodes[step];
        for (index, &output) in node.outputs.iter().enumerate() {
            let replaced = replaceable(graph, node, moment, last_reads)
                .filter(|_| index == 0)
                .and_then(|operand| self.buffer_of_edge[operand.0]);
            match replaced {
                Some(buffer) => {
                    self.buffer_of_edge[output.0] = Some(buffer);
                    self.buffers[buffer].last = last_reads[output.0].max(moment);
                }
                None => self.add_edge(graph, output, moment, last_reads),
            }
        }
    }

    fn add_edge(&mut self, graph: &KernelGraph, edge: EdgeId, first: usize, last_reads: &[usize]) {
        let last = last_reads[edge.0].max(first);
        let buffer = self.add(graph.edges[edge.0].extent.bytes(), first, last);
        self.buffer_of_edge[edge.0] = Some(buffer);
    }

    fn add(&mut self, bytes: usize, first: usize, last: usize) -> usize {
        self.buffers.push(Buffer {
            size: bytes.next_multiple_of(ArenaAt::ALIGN),
            first,
            last,
        });
        self.buffers.len() - 1
    }
}

/// The first operand of `node`, if its result may lie there: nobody reads it later, and it is as
/// long.
fn replaceable(
    graph: &KernelGraph,
    node: &KernelNode,
    moment: usize,
    last_reads: &[usize],
) -> Option<EdgeId> {
    let (&[first, ref rest @ ..], &[output, ..]) = (&*node.inputs, &*node.outputs) else {
        return None;
    };
    let bytes = |edge: EdgeId| Extent::bytes(graph.edges[edge.0].extent);
    let fits = node.op.operator().in_place() && bytes(first) == bytes(output);
    let dies = last_reads[first.0] == moment && !rest.contains(&first);
    (fits && dies && graph.edges[first.0].constant.is_none()).then_some(first)
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
fn last_reads(graph: &KernelGraph) -> Vec<usize> {
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

/// Swaps the operands of an addition if only the second dies there.
fn in_place_first(graph: &mut KernelGraph, step: usize, last_reads: &[usize]) {
    let moment = step + 1;
    let is_constant = |edge: EdgeId| graph.edges[edge.0].constant.is_some();
    let node = &graph.nodes[step];
    let &[a, b] = &*node.inputs else { return };
    let dies = |edge: EdgeId| last_reads[edge.0] == moment && !is_constant(edge);
    if dies(a)
        || !dies(b)
        || graph.edges[b.0].extent.len != graph.edges[node.outputs[0].0].extent.len
    {
        return;
    }
    if let Some(op) = swapped(&node.op) {
        let node = &mut graph.nodes[step];
        node.op = op;
        node.inputs.swap(0, 1);
    }
}

/// The operator that computes the same of swapped operands, if the result may lie on the first.
fn swapped(op: &Op) -> Option<Op> {
    let swapped: Op = match op {
        Op::Add(add) if !add.subtract => {
            let mut add = *add;
            add.zeros.swap(0, 1);
            add.factors.swap(0, 1);
            swap(&mut add.broadcast.a, &mut add.broadcast.b);
            add.into()
        }
        Op::Mul(mul) => {
            let mut mul = *mul;
            mul.zeros.swap(0, 1);
            swap(&mut mul.broadcast.a, &mut mul.broadcast.b);
            mul.into()
        }
        Op::Binary(binary) if matches!(binary.kind, BinaryKind::Add | BinaryKind::Mul) => {
            let mut binary = *binary;
            let operands = &mut binary.operands;
            swap(&mut operands.a, &mut operands.b);
            swap(&mut operands.a_len, &mut operands.b_len);
            binary.into()
        }
        _ => return None,
    };
    swapped.operator().in_place().then_some(swapped)
}
