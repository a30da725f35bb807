//! From sums to int8 outputs: the requantization of one output channel.
//!
//! `(sum·m + 2^(s−1)) >> s` with `s > 32` needs only the high word of the product: `2^(s−1)` has
//! no bit in the low one. `SMMLA` adds it, and the output's zero point shifted left, as it
//! multiplies. Channels whose `s` lies elsewhere take [`ConvConstants::output`]'s arithmetic.

use crate::num::{Multiplier, Output};
use crate::reference::conv2d::ConvConstants;

/// How the sums of one output channel, bias included, become outputs.
#[derive(Clone, Copy)]
pub struct Finish {
    /// The channel's bias: where a sum starts.
    pub bias: i32,
    multiplier: Multiplier,
    store: Output,
}

/// [`Finish`] for a shift that the high word suffices for.
#[derive(Clone, Copy)]
pub struct HighWord {
    mantissa: i32,
    /// Half of the last place, and the zero point, in the place that the shift leaves them.
    offset: i32,
    shift: u32,
    clamp: Option<[i32; 2]>,
}

/// What makes an output of a sum.
pub trait Store: Copy {
    /// The output for `sum`, which has the bias.
    fn output(self, sum: i32) -> i8;
}

impl Finish {
    /// Of output channel `channel`.
    #[inline(always)]
    pub fn new(constants: &ConvConstants<'_>, store: Output, channel: usize) -> Self {
        Self {
            bias: constants.bias[channel],
            multiplier: constants.multiplier(channel),
            store,
        }
    }

    /// The short form, where there is one.
    #[inline(always)]
    pub fn high_word(self) -> Option<HighWord> {
        // With a shift of 22 or less, product, half and zero point together fit a word: they are
        // less than 2^30, 2^21 and 2^29.
        let shift = -1 - i32::from(self.multiplier.shift);
        (1..=22).contains(&shift).then(|| {
            let Output { zero, min, max } = self.store;
            HighWord {
                mantissa: self.multiplier.mantissa,
                offset: (1 << (shift - 1)) + (i32::from(zero) << shift),
                shift: shift as u32,
                clamp: ([min, max] != [i8::MIN, i8::MAX]).then(|| [min, max].map(i32::from)),
            }
        })
    }
}

impl Store for Finish {
    fn output(self, sum: i32) -> i8 {
        self.store.store(self.multiplier.apply(sum))
    }
}

impl Store for HighWord {
    #[inline(always)]
    fn output(self, sum: i32) -> i8 {
        let high = ((i64::from(sum) * i64::from(self.mantissa)) >> 32) as i32;
        let value = (high + self.offset) >> self.shift;
        match self.clamp {
            Some([min, max]) => value.max(min).min(max) as i8,
            None => value.clamp(-128, 127) as i8,
        }
    }
}
