//! Operators that move elements and compute nothing: one file each, with parameters and kernel.
//!
//! They know of an element only how many bytes it has, so that they serve every type and every
//! executor. The whole copy of a run of neighbours is the only fast path that they need.

use crate::operator::Element;
use bytemuck::{Pod, cast_slice, cast_slice_mut};

pub mod concat;
pub mod copy;
pub mod delay;
pub mod gather;
pub mod pad_by;
pub mod select;

/// A kernel over elements of any type, which are given as bits.
trait Moves {
    /// Moves from `inputs` to `output`.
    fn moves<T: Pod>(&self, inputs: &[&[T]], output: &mut [T]);
}

/// Runs `kernel` on the elements of `inputs` and `output` as integers of their size.
fn run<const N: usize>(
    kernel: &impl Moves,
    element: Element,
    inputs: [&[u8]; N],
    output: &mut [u8],
) {
    match element.bytes() {
        1 => kernel.moves::<u8>(&inputs, output),
        2 => kernel.moves::<u16>(&inputs.map(cast_slice), cast_slice_mut(output)),
        _ => kernel.moves::<u32>(&inputs.map(cast_slice), cast_slice_mut(output)),
    }
}
