//! Armv8.1-M with the vector extension (Helium) for integers: Cortex-M55.
//!
//! Dot products are of 16 pairs of int8 at a time (`VMLADAVA`), in loops whose last vector is
//! masked. Four outputs are requantized together: the high word of the product with the multiplier,
//! shifted right with rounding, which is the definition wherever the shift is more than 32 bits in
//! all ([`Store::new`]); other factors are left to [`generic`].

use crate::generic;
use crate::num::Output;
use crate::set::KernelSet;

pub mod add;
pub mod conv2d;
mod copy;
pub mod depthwise;

/// The kernel set of Armv8.1-M with Helium.
pub const SET: KernelSet = KernelSet {
    name: "armv81m",
    conv2d: conv2d::conv2d,
    depthwise: depthwise::depthwise,
    add: add::add,
    add_in_place: add::add_in_place,
    ..generic::SET
};

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
    /// `None` unless every factor is less than a half: then only the high word of a product
    /// matters.
    fn new(store: Output, shifts: &[i8]) -> Option<Self> {
        shifts.iter().all(|&shift| shift < -1).then(|| Self {
            zero: store.zero.into(),
            min: store.min.into(),
            max: store.max.into(),
        })
    }
}

/// From four sums in q0 to four bytes: mantissas at `$mantissas`, shifts at `$shifts`, both of which
/// advance; r7 has the zero point, q4 and q5 the clamps; writes q1, q2, r1 and r8.
#[rustfmt::skip]
macro_rules! requantize {
    ($mantissas:literal, $shifts:literal) => {
        concat!(
            "vldrw.u32 q1, [", $mantissas, "], #16\n",
            "mov r1, ", $shifts, "\n",
            "mov r8, #1\n",
            "vldrb.s32 q2, [r1]\n",
            "add ", $shifts, ", #4\n",
            "vmulh.s32 q0, q0, q1\n",
            "vadd.i32 q2, q2, r8\n",
            "vrshl.s32 q0, q0, q2\n",
            "vadd.i32 q0, q0, r7\n",
            "vmax.s32 q0, q0, q4\n",
            "vmin.s32 q0, q0, q5\n",
        )
    };
}
use requantize;
