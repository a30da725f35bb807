//! Where every activation lies in the arena.
//!
//! Steps run in the graph's order. From it follow the lifetimes (`lifetimes`), with operators
//! that work in place sharing the memory of their operand; then offsets (`offsets`) such that
//! no two buffers that live at the same time overlap.

pub mod bound;
mod lifetimes;
mod offsets;

use crate::graph::EdgeId;
use crate::quantize::IntegerGraph;
pub use lifetimes::{Buffer, Lifetimes};

/// Offsets of all edges, and the operands in the order in which the steps take them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Byte offset of each edge, by [`EdgeId`].
    pub offsets: Vec<usize>,
    /// Operands of each step; those of an addition may be swapped so that it works in place.
    pub operands: Vec<Vec<EdgeId>>,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// The largest sum of sizes of buffers that live at the same time.
    pub lower_bound_bytes: usize,
}

/// Plans the arena of `graph`.
pub fn plan(graph: &IntegerGraph) -> MemoryPlan {
    let lifetimes = Lifetimes::new(graph);
    let lower_bound_bytes = lifetimes::largest_live_set(&lifetimes.buffers);
    let placed = offsets::place(&lifetimes.buffers, lower_bound_bytes);
    let offset = |&buffer: &usize| placed.offsets[buffer];
    MemoryPlan {
        offsets: lifetimes.buffer_of_edge.iter().map(offset).collect(),
        operands: lifetimes.operands,
        arena_bytes: placed.arena_bytes,
        lower_bound_bytes,
    }
}
