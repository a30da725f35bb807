//! Addition, element by element: every factor is one multiplication for its high word.
//!
//! An operand is shifted left by two bits more than the definition has it, so that its product's
//! high word has all of its result; no operand's factor is more than one. Other factors, and
//! operands that are repeated, are left to [`generic`].

use super::dsp::{smmla, ssat8};
use super::finish::Folded;
use crate::generic;
use crate::num::Multiplier;
use crate::reference::add::{Add, LEFT_SHIFT};

/// As [`crate::reference::add::add`].
pub fn add(params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    match Sum::of(params) {
        Some(sum) => {
            for (out, (&a, &b)) in output.iter_mut().zip(a.iter().zip(b)) {
                *out = sum.element(a, b);
            }
            params.store.clamp(output);
        }
        None => (generic::SET.add)(params, a, b, output),
    }
}

/// As [`crate::reference::add::add_in_place`].
pub fn add_in_place(params: &Add, a: &mut [i8], b: &[i8]) {
    match Sum::of(params) {
        Some(sum) => {
            for (a, &b) in a.iter_mut().zip(b) {
                *a = sum.element(*a, b);
            }
            params.store.clamp(a);
        }
        None => (generic::SET.add_in_place)(params, a, b),
    }
}

/// Bits by which operands are shifted left.
const SHIFT: u32 = LEFT_SHIFT + 2;

/// An operand's factor.
struct Term {
    /// The zero point, shifted as operands are, negative.
    zero: i32,
    mantissa: i32,
    half: i32,
    shift: u32,
}

impl Term {
    fn new(zero: i8, factor: Multiplier) -> Option<Self> {
        let shift = 1 - i32::from(factor.shift);
        (1..=30).contains(&shift).then(|| Self {
            zero: -(i32::from(zero) << SHIFT),
            mantissa: factor.mantissa,
            half: 1 << (shift - 1),
            shift: shift as u32,
        })
    }

    #[inline(always)]
    fn scale(&self, value: i8) -> i32 {
        let raised = (i32::from(value) << SHIFT) + self.zero;
        smmla(raised, self.mantissa, self.half) >> self.shift
    }
}

/// The factors of both operands and of their sum.
struct Sum {
    a: Term,
    b: Term,
    mantissa: i32,
    folded: Folded,
}

impl Sum {
    fn of(params: &Add) -> Option<Self> {
        if params.subtract || !params.broadcast.is_flat() {
            return None;
        }
        Some(Self {
            a: Term::new(params.zeros[0], params.factors[0])?,
            b: Term::new(params.zeros[1], params.factors[1])?,
            mantissa: params.factor.mantissa,
            folded: Folded::new(params.factor, params.store)?,
        })
    }

    #[inline(always)]
    fn element(&self, a: i8, b: i8) -> i8 {
        let sum = self.a.scale(a).wrapping_add(self.b.scale(b));
        let scaled = smmla(sum, self.mantissa, self.folded.offset) >> self.folded.shift;
        ssat8(scaled) as i8
    }
}
