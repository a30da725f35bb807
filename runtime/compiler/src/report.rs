//! What became of a model: every source node's fate, and what a run costs.

use crate::planner::MemoryPlan;
use crate::select::KernelGraph;
use std::fmt;

/// What a compilation did and what its plan needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One entry a node of the source model, in its order.
    pub nodes: Vec<NodeReport>,
    /// Multiply–accumulates of one run.
    pub macs: usize,
    /// Bytes of arena.
    pub arena_bytes: usize,
    /// The largest live set of the plan's order of steps: no placement needs less.
    pub arena_lower_bound_bytes: usize,
    /// Bytes of the steps' constants: weights, biases, factors, tables.
    pub constants_bytes: usize,
}

/// What became of one node of the source model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// The node's name.
    pub name: String,
    /// ONNX's name of its operator.
    pub op: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is this step.
    Step(usize),
    /// This step computes it as well.
    FusedInto(usize),
    /// It became a constant, or the quantization of an input.
    Folded,
    /// Its result is its operand, perhaps with other axes; nothing runs.
    Aliased,
    /// No output depends on it.
    Unused,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "step {step}"),
            Self::FusedInto(step) => write!(f, "fused into step {step}"),
            Self::Folded => f.write_str("folded"),
            Self::Aliased => f.write_str("no copy"),
            Self::Unused => f.write_str("unused"),
        }
    }
}

impl Report {
    pub(crate) fn new(nodes: Vec<NodeReport>, graph: &KernelGraph, memory: &MemoryPlan) -> Self {
        let operators = || graph.nodes.iter().map(|node| node.op.operator());
        let constants = graph.nodes.iter().flat_map(|node| &node.constants);
        Self {
            nodes,
            macs: operators().map(|operator| operator.macs()).sum(),
            arena_bytes: memory.arena_bytes,
            arena_lower_bound_bytes: memory.lower_bound_bytes,
            constants_bytes: constants.map(Vec::len).sum(),
        }
    }
}
