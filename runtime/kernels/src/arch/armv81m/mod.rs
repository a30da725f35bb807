//! Armv8.1-M with the vector extension (Helium) for integers: Cortex-M55.
//!
//! Dot products are of 16 pairs of int8 at a time (`VMLADAVA`), in loops whose last vector is
//! masked. Four outputs are requantized together: the high word of twice the product with the
//! multiplier, shifted right with rounding, which is the definition wherever there is something to
//! shift ([`Store::new`]); other factors are left to [`generic`].

use crate::generic;
use crate::num::Output;
use crate::set::KernelSet;

pub mod add;
pub mod conv2d;
mod copy;
pub mod depthwise;
mod depthwise3x3;
mod patches;

/// The kernel set of Armv8.1-M with Helium.
pub const SET: KernelSet = KernelSet {
    name: "armv81m",
    conv2d: conv2d::conv2d,
    depthwise: depthwise::depthwise,
    add: add::add,
    add_in_place: add::add_in_place,
    ..generic::SET
};

/// Bytes of a vector.
const VECTOR: usize = 16;

/// Outputs that are requantized together.
const LANES: usize = 4;

/// Zero point and clamps of the outputs, as the assembly reads them.
#[derive(Clone, Copy)]
#[repr(C)]
struct Store {
    zero: i32,
    min: i32,
    max: i32,
}

impl Store {
    /// `None` unless every factor is less than one: then half of the last place is a bit of the
    /// high word.
    fn new(store: Output, shifts: &[i8]) -> Option<Self> {
        shifts.iter().all(|&shift| shift < 0).then(|| Self {
            zero: store.zero.into(),
            min: store.min.into(),
            max: store.max.into(),
        })
    }
}
