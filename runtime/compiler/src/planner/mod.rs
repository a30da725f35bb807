//! Where every activation lies in the arena.
//!
//! Steps run in the graph's order. From it follow the lifetimes (`lifetimes`), with operators
//! that work in place sharing the memory of their operand; then offsets (`offsets`) such that
//! no two buffers that live at the same time overlap.

pub mod bound;
mod lifetimes;
mod offsets;
#[cfg(test)]
mod tests;

use crate::select::KernelGraph;
pub use lifetimes::{Buffer, Lifetimes};

/// Where everything lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Byte offset of each edge, by [`EdgeId`](crate::graph::EdgeId); 0 where it has none.
    pub offsets: Vec<usize>,
    /// Byte offsets of what each step keeps from run to run.
    pub state: Vec<Vec<usize>>,
    /// Byte offset of each step's scratch.
    pub scratch: Vec<usize>,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// The largest sum of sizes of buffers that live at the same time.
    pub lower_bound_bytes: usize,
}

/// Plans the arena of `graph`. Operands of additions may be swapped so that they work in place.
pub fn plan(graph: &mut KernelGraph) -> MemoryPlan {
    let lifetimes = Lifetimes::new(graph);
    let lower_bound_bytes = lifetimes::largest_live_set(&lifetimes.buffers);
    let placed = offsets::place(&lifetimes.buffers, lower_bound_bytes);
    let offset = |buffer: Option<usize>| buffer.map_or(0, |buffer| placed.offsets[buffer]);
    let offsets = |buffers: &Vec<usize>| buffers.iter().map(|&it| placed.offsets[it]).collect();
    MemoryPlan {
        offsets: lifetimes.buffer_of_edge.into_iter().map(offset).collect(),
        state: lifetimes.state.iter().map(offsets).collect(),
        scratch: lifetimes.scratch.into_iter().map(offset).collect(),
        arena_bytes: placed.arena_bytes,
        lower_bound_bytes,
    }
}
