//! Addition and subtraction, element by element, 64 at a time.
//!
//! Operands are shifted left by two bits more than the definition has it, so that factors up to
//! 1/2, of which one is the larger operand's, are below 1/4. Larger factors, and operands that
//! are repeated, are left to [`generic`].

use super::finish::{Scale, Store, vector};
use super::isa::{BYTES, Isa, LANES, Work};
use crate::generic;
use crate::num::Multiplier;
use crate::reference::add::{Add, LEFT_SHIFT};

/// Bits by which operands are shifted left beyond the definition.
const MORE: i8 = 2;
/// Bits by which they are shifted left.
const SHIFT: u32 = LEFT_SHIFT + MORE as u32;

/// As [`crate::reference::add::add`].
pub fn add<I: Isa>(params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    if !is_ours(params) {
        return (generic::SET.add)(params, a, b, output);
    }
    output.copy_from_slice(a);
    I::enter(Sum {
        params,
        a: output,
        b,
    });
}

/// As [`crate::reference::add::add_in_place`].
pub fn add_in_place<I: Isa>(params: &Add, a: &mut [i8], b: &[i8]) {
    if !is_ours(params) {
        return (generic::SET.add_in_place)(params, a, b);
    }
    I::enter(Sum { params, a, b });
}

fn is_ours(params: &Add) -> bool {
    let shifts = Multiplier::SHIFT_MIN + MORE..=0;
    let mut factors = params.factors.iter();
    params.broadcast.is_flat() && factors.all(|factor| shifts.contains(&factor.shift))
}

/// A sum that replaces its first operand.
struct Sum<'a> {
    params: &'a Add,
    a: &'a mut [i8],
    b: &'a [i8],
}

impl Work for Sum<'_> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { params, a, b } = self;
        let kernel = Kernel::<I> {
            operands: [operand(params, 0), operand(params, 1)],
            subtract: params.subtract,
            scale: scale(params.factor, params.store.zero),
            store: Store::new(params.store),
        };
        let (wholes, rest) = a.as_chunks_mut();
        let (wholes_b, rest_b) = b.as_chunks();
        for (a, b) in wholes.iter_mut().zip(wholes_b) {
            kernel.replace(a, b);
        }
        if !rest.is_empty() {
            let (mut a, mut b) = ([0; BYTES], [0; BYTES]);
            a[..rest.len()].copy_from_slice(rest);
            b[..rest.len()].copy_from_slice(rest_b);
            kernel.replace(&mut a, &b);
            rest.copy_from_slice(&a[..rest.len()]);
        }
    }
}

/// The shifted zero point of an operand, negative, and its factor.
#[inline(always)]
fn operand<I: Isa>(params: &Add, operand: usize) -> (I::Vector, Scale<I>) {
    let factor = params.factors[operand];
    let factor = Multiplier {
        shift: factor.shift - MORE,
        ..factor
    };
    let zero = i32::from(params.zeros[operand]) << SHIFT;
    (I::splat32(-zero), scale(factor, 0))
}

/// The scale of all lanes.
#[inline(always)]
fn scale<I: Isa>(factor: Multiplier, zero: i8) -> Scale<I> {
    Scale::new(&[factor.mantissa; LANES], &[factor.shift; LANES], zero)
}

/// What is the same for all elements.
struct Kernel<I: Isa> {
    operands: [(I::Vector, Scale<I>); 2],
    subtract: bool,
    scale: Scale<I>,
    store: Store<I>,
}

impl<I: Isa> Kernel<I> {
    /// Replaces elements by their sums with others.
    #[inline(always)]
    fn replace(&self, a: &mut [i8; BYTES], b: &[i8; BYTES]) {
        let a_scaled = self.scaled(0, a);
        let b_scaled = self.scaled(1, b);
        let mut sums = a_scaled;
        for (sum, b) in sums.iter_mut().zip(b_scaled) {
            let both = if self.subtract {
                I::sub32(*sum, b)
            } else {
                I::add32(*sum, b)
            };
            *sum = self.scale.apply(both);
        }
        // SAFETY: the array has a vector's bytes.
        unsafe { I::store(a.as_mut_ptr(), self.store.bytes(sums)) };
    }

    /// The scaled elements of an operand, in the order in which [`Store::bytes`] takes them.
    #[inline(always)]
    fn scaled(&self, operand: usize, values: &[i8; BYTES]) -> [I::Vector; 4] {
        let (zero, scale) = &self.operands[operand];
        let (none, bits) = (I::splat32(0), I::splat32(32 - 8 - SHIFT as i32));
        // Each byte becomes the highest one of an int32.
        let [low, high] = I::zip8(none, vector::<I, _, _>(values));
        let ([first, second], [third, fourth]) = (I::zip16(none, low), I::zip16(none, high));
        let mut scaled = [first, second, third, fourth];
        for value in &mut scaled {
            *value = scale.apply(I::add32(I::shift_right(*value, bits), *zero));
        }
        scaled
    }
}
