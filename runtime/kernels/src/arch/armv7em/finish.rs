//! From sums to int8 outputs in few instructions.
//!
//! `(sum·m + 2^(s−1)) >> s` with `s > 32` needs only the high word of the product: `2^(s−1)` has
//! no bit in the low one. `SMMLA` adds it, and the output's zero point shifted left, as it
//! multiplies; `SSAT` clamps to int8. What is left: clamps that are narrower ([`clamp`]), and
//! the rare channels whose `s` lies elsewhere ([`has_short_form`]), which Rust computes.

use crate::num::Output;

/// What the instructions take for one output channel.
#[derive(Clone, Copy)]
pub struct Short {
    /// Half of the last place, and the zero point, in the place that the shift leaves them.
    pub offset: i32,
    /// Bits that the high word is shifted right by.
    pub shift: u32,
}

/// Whether a channel with this shift needs only the high word, and that has room for the zero
/// point: with 22 bits or less to go, product, half and zero point are at most 2^30, 2^21, 2^29.
pub fn has_short_form(shift: i8) -> bool {
    (-23..=-2).contains(&shift)
}

/// Twice the zero point plus one: shifted left by one less than the shift it is the offset.
pub fn unit(store: Output) -> i32 {
    2 * i32::from(store.zero) + 1
}

impl Short {
    /// For a channel that has the short form.
    pub fn new(shift: i8, store: Output) -> Self {
        let shift = !i32::from(shift) as u32;
        Self {
            offset: unit(store) << (shift - 1),
            shift,
        }
    }
}

/// Clamps outputs that were clamped to int8 so far.
pub fn clamp(store: Output, outputs: &mut [i8]) {
    if [store.min, store.max] != [i8::MIN, i8::MAX] {
        for out in outputs {
            *out = (*out).max(store.min).min(store.max);
        }
    }
}
