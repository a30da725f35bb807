//! Fixed-point requantization and shapes, shared by every kernel.

use serde::{Deserialize, Serialize};

/// A positive real factor as a Q31 mantissa and a power of two: `mantissa · 2^(shift − 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Multiplier {
    /// In `[2^30, 2^31)`, or 0 for the factor zero.
    pub mantissa: i32,
    /// In `SHIFT_MIN..=SHIFT_MAX`; positive shifts left.
    pub shift: i8,
}

impl Multiplier {
    /// The smallest shift that a valid multiplier has.
    pub const SHIFT_MIN: i8 = -31;
    /// The largest shift that a valid multiplier has.
    pub const SHIFT_MAX: i8 = 30;

    /// Whether mantissa and shift are in their ranges.
    pub const fn is_valid(self) -> bool {
        let normal = self.mantissa >= 1 << 30;
        (normal || self.mantissa == 0)
            && self.shift >= Self::SHIFT_MIN
            && self.shift <= Self::SHIFT_MAX
    }

    /// `acc` times the factor, rounded once, half up: `(acc·m + 2^(s−1)) >> s` in 64 bits with
    /// `s = 31 − shift`. TFLite's `MultiplyByQuantizedMultiplier` with `TFLITE_SINGLE_ROUNDING`.
    pub const fn apply(self, acc: i32) -> i32 {
        let right = 31 - self.shift as i32;
        let product = acc as i64 * self.mantissa as i64;
        ((product + (1_i64 << (right - 1))) >> right) as i32
    }
}

/// How an accumulator becomes an int8 output once it is scaled: zero point, then clamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Zero point of the output.
    pub zero: i8,
    /// Lower clamp, inclusive (a fused ReLU sets it to the zero point).
    pub min: i8,
    /// Upper clamp, inclusive.
    pub max: i8,
}

impl Output {
    /// The int8 value of an already scaled accumulator. The addition of the zero point wraps, so
    /// that every executor has the same bits where a plan's scales are absurd.
    pub const fn store(self, scaled: i32) -> i8 {
        let shifted = scaled.wrapping_add(self.zero as i32);
        let low = if shifted < self.min as i32 {
            self.min as i32
        } else {
            shifted
        };
        (if low > self.max as i32 {
            self.max as i32
        } else {
            low
        }) as i8
    }

    /// Clamps outputs that were clamped to int8 so far.
    pub fn clamp(self, outputs: &mut [i8]) {
        if self.min != i8::MIN || self.max != i8::MAX {
            for out in outputs {
                *out = (*out).max(self.min).min(self.max);
            }
        }
    }
}

/// Height, width and channels of one activation, stored channels last (HWC, row major).
///
/// A vector of `n` features is `1 × 1 × n`; a sequence of `t` steps is `t × 1 × n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels (features).
    pub channels: usize,
}

impl Shape {
    /// Elements in all; `None` when that overflows.
    pub const fn checked_len(self) -> Option<usize> {
        match self.height.checked_mul(self.width) {
            Some(pixels) => pixels.checked_mul(self.channels),
            None => None,
        }
    }

    /// Elements in all. A shape of a validated plan never overflows here.
    pub const fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there is no element.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A window that slides over rows and columns. Each pair is (rows, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Taps.
    pub kernel: [usize; 2],
    /// Steps between neighbouring outputs, in input elements.
    pub stride: [usize; 2],
    /// Distance between neighbouring taps, in input elements; 1 is dense.
    pub dilation: [usize; 2],
    /// Rows above and columns to the left of the input; what lies below and to the right follows
    /// from the output's shape.
    pub pad: [usize; 2],
}

impl Window {
    /// The input row (axis 0) or column (axis 1) of tap `tap` for output `out`; `None` outside
    /// of the `extent` elements of that axis, which is padding.
    pub const fn tap(self, axis: usize, out: usize, tap: usize, extent: usize) -> Option<usize> {
        let padded = out * self.stride[axis] + tap * self.dilation[axis];
        if padded < self.pad[axis] || padded - self.pad[axis] >= extent {
            None
        } else {
            Some(padded - self.pad[axis])
        }
    }
    /// The taps of output `out` that lie inside of the `extent` elements of that axis.
    pub const fn inside(self, axis: usize, out: usize, extent: usize) -> Inside {
        let (first, pad) = (out * self.stride[axis], self.pad[axis]);
        let dilation = self.dilation[axis];
        let end = (extent + pad).saturating_sub(first).div_ceil(dilation);
        let end = min(end, self.kernel[axis]);
        let start = min(pad.saturating_sub(first).div_ceil(dilation), end);
        Inside {
            start,
            end,
            origin: (first + start * dilation).saturating_sub(pad),
        }
    }
}

/// A run of taps that lie inside of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The first such tap.
    pub start: usize,
    /// The tap after the last one.
    pub end: usize,
    /// The input row or column of the first.
    pub origin: usize,
}

impl Inside {
    /// Taps inside.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether no tap is inside.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}
