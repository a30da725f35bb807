//! From sums to int8 outputs in few instructions.
//!
//! `(sum·m + 2^(s−1)) >> s` with `s > 32` needs only the high word of the product: `2^(s−1)` has
//! no bit in the low one. `SMMLA` adds it as it multiplies, and `SSAT` clamps to int8. With a
//! smaller `s` the low word is shifted too. The zero point is added with
//! the half ([`Folded`]); clamps that are narrower come last ([`Output::clamp`]).

use crate::num::{Multiplier, Output};

/// What the instructions take for one output channel, where the zero point goes with the half.
#[derive(Clone, Copy)]
pub struct Folded {
    /// Half of the last place, and the zero point, in the place that the shift leaves them.
    pub offset: i32,
    /// Bits that the high word is shifted right by.
    pub shift: i32,
}

impl Folded {
    /// `None` for a channel that needs more than the high word, or more than its 32 bits: with 22
    /// bits or less to go, product, half and zero point are at most 2^30, 2^21 and 2^29.
    pub fn new(factor: Multiplier, store: Output) -> Option<Self> {
        let (shift, zero) = (-1 - i32::from(factor.shift), i32::from(store.zero));
        if factor.mantissa == 0 {
            return Some(Self {
                offset: zero,
                shift: 0,
            });
        }
        (1..=22).contains(&shift).then(|| Self {
            offset: (1 << (shift - 1)) + (zero << shift),
            shift,
        })
    }
}

/// An output channel as `block::four_pixels` reads it.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Channel {
    bias: i32,
    mantissa: i32,
    /// Bits that the high word is shifted right by. From 1 to 22 the offset is that of [`Folded`],
    /// otherwise the zero point: -31 to 0 are shifts in all of the product, less 32; what is below
    /// -32 is a shift of the high word by 23 and more, less 64.
    shift: i32,
    offset: i32,
}

impl Channel {
    /// Words of an entry.
    pub const WORDS: usize = size_of::<Self>() / size_of::<u32>();

    /// A channel of that bias.
    pub fn new(bias: i32, factor: Multiplier, store: Output) -> Self {
        let shift = -1 - i32::from(factor.shift);
        let (shift, offset) = match Folded::new(factor, store) {
            Some(folded) => (folded.shift, folded.offset),
            None if shift > 22 => (shift - 64, store.zero.into()),
            None => (shift, store.zero.into()),
        };
        Self {
            bias,
            mantissa: factor.mantissa,
            shift,
            offset,
        }
    }
}
