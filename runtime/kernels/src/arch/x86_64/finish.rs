//! From the sums of sixteen output channels to their int8 outputs.
//!
//! Of a product of 64 bits only the high word is used, rounded as the definition has it: that is
//! exact for factors below 1/4, whose rounding adds nothing to the low word.

use super::isa::{BYTES, Isa, LANES};
use crate::num::Output;
use crate::reference::conv2d::ConvConstants;
use core::ops::RangeInclusive;

/// Constants of sixteen channels.
#[derive(Clone, Copy)]
pub struct Lanes<'a> {
    /// Biases.
    pub bias: &'a [i32; LANES],
    /// Mantissas.
    pub mantissas: &'a [i32; LANES],
    /// Shifts.
    pub shifts: &'a [i8; LANES],
}

/// Room for constants of which there are fewer than sixteen; those that are missing are 0.
pub struct Room {
    /// Biases.
    pub bias: [i32; LANES],
    /// Mantissas.
    pub mantissas: [i32; LANES],
    /// Shifts.
    pub shifts: [i8; LANES],
}

impl Room {
    /// No constants.
    pub const NEW: Self = Self {
        bias: [0; LANES],
        mantissas: [0; LANES],
        shifts: [SHIFT_OF_ZERO; LANES],
    };

    /// What is in the room.
    pub fn lanes(&self) -> Lanes<'_> {
        Lanes {
            bias: &self.bias,
            mantissas: &self.mantissas,
            shifts: &self.shifts,
        }
    }
}

impl<'a> Lanes<'a> {
    /// Those of the channels from `first` on.
    #[inline(always)]
    pub fn new(constants: &ConvConstants<'a>, first: usize, room: &'a mut Room) -> Self {
        Self {
            bias: whole(&constants.bias[first..], &mut room.bias),
            mantissas: whole(&constants.mantissas[first..], &mut room.mantissas),
            shifts: whole(&constants.shifts[first..], &mut room.shifts),
        }
    }
}

/// The first sixteen values, in the room if they are fewer.
#[inline(always)]
fn whole<'a, T: Copy>(values: &'a [T], room: &'a mut [T; LANES]) -> &'a [T; LANES] {
    match values.first_chunk() {
        Some(whole) => whole,
        None => {
            room[..values.len()].copy_from_slice(values);
            room
        }
    }
}

/// The shifts of usual factors: below 1/4, and so large that a zero point can be added to the high
/// word of a product before it is shifted.
const USUAL: RangeInclusive<i8> = -23..=-2;
/// A usual shift, for the factor 0, which may have any.
const SHIFT_OF_ZERO: i8 = -2;

/// Factors of the lanes of a vector, and the zero point that is added to what they scale.
#[derive(Clone, Copy)]
pub struct Scale<I: Isa> {
    mantissas: [I::Vector; 2],
    /// What is added to the high word of a product: its half, and the zero point.
    added: I::Vector,
    /// Bits to the right of a product's high word: one less than the shift, negative.
    shift: I::Vector,
    zero: I::Vector,
    is_usual: bool,
}

impl<I: Isa> Scale<I> {
    /// Of these mantissas and shifts.
    #[inline(always)]
    pub fn new(mantissas: &[i32; LANES], shifts: &[i8; LANES], zero: i8) -> Self {
        let smallest = shifts.iter().copied().fold(i8::MAX, i8::min);
        let largest = shifts.iter().copied().fold(i8::MIN, i8::max);
        if USUAL.contains(&smallest) && USUAL.contains(&largest) {
            return Self::of(mantissas, shifts, zero, true);
        }
        let (shifts, is_usual) = without_zeros(mantissas, shifts);
        Self::of(mantissas, &shifts, zero, is_usual)
    }

    #[inline(always)]
    fn of(mantissas: &[i32; LANES], shifts: &[i8; LANES], zero: i8, is_usual: bool) -> Self {
        let even = vector::<I, _, _>(mantissas);
        let (one, ones) = (I::splat32(1), I::splat32(-1));
        // SAFETY: the array has sixteen bytes.
        let shift = I::xor(unsafe { I::widen(shifts.as_ptr()) }, ones);
        let zero = I::splat32(zero.into());
        let half = I::shift_left(one, I::add32(shift, ones));
        Self {
            mantissas: [even, I::odd(even)],
            added: I::add32(half, I::shift_left(zero, shift)),
            shift,
            zero,
            is_usual,
        }
    }

    /// Scaled int32, with the zero point added; both wrap.
    #[inline(always)]
    pub fn apply(&self, values: I::Vector) -> I::Vector {
        let even = I::mul(values, self.mantissas[0]);
        let odd = I::mul(I::odd(values), self.mantissas[1]);
        if self.is_usual {
            let high = I::add32(I::high(even, odd), self.added);
            return I::shift_right(high, self.shift);
        }
        let shift = I::add32(self.shift, I::splat32(32));
        let even = I::round64(even, I::even(shift));
        let odd = I::round64(odd, I::odd(shift));
        I::add32(I::low(even, odd), self.zero)
    }
}

/// The shifts once the factor 0 has a usual one, and whether all are usual.
#[cold]
fn without_zeros(mantissas: &[i32; LANES], shifts: &[i8; LANES]) -> ([i8; LANES], bool) {
    let mut shifts = *shifts;
    for (shift, &mantissa) in shifts.iter_mut().zip(mantissas) {
        if mantissa == 0 {
            *shift = SHIFT_OF_ZERO;
        }
    }
    (shifts, shifts.iter().all(|shift| USUAL.contains(shift)))
}

/// What begins the sums of sixteen channels, and what becomes of them.
#[derive(Clone, Copy)]
pub struct Block<I: Isa> {
    /// Where sums begin.
    pub bias: I::Vector,
    scale: Scale<I>,
}

impl<I: Isa> Block<I> {
    /// Of the channels that `lanes` are.
    #[inline(always)]
    pub fn new(lanes: Lanes<'_>, zero: i8) -> Self {
        Self {
            bias: vector::<I, _, _>(lanes.bias),
            scale: Scale::new(lanes.mantissas, lanes.shifts, zero),
        }
    }

    /// Takes 128 times the sum of each channel's weights off its sum, which is what inputs that
    /// are raised by 128 add to it. `weights` has every word of the channels.
    #[inline(always)]
    pub fn lower<'a>(&mut self, mut weights: impl Iterator<Item = &'a [i8; BYTES]>) {
        let raised = I::splat8(i8::MIN);
        let mut added = [I::splat32(0); 4];
        'all: loop {
            for added in &mut added {
                let Some(weights) = weights.next() else {
                    break 'all;
                };
                *added = I::dot(*added, raised, vector::<I, _, _>(weights));
            }
        }
        for added in added {
            self.bias = I::sub32(self.bias, added);
        }
    }

    /// Scaled sums.
    #[inline(always)]
    pub fn scale(&self, sums: I::Vector) -> I::Vector {
        self.scale.apply(sums)
    }
}

/// From scaled sums to bytes.
pub struct Store<I: Isa> {
    min: I::Vector,
    max: I::Vector,
}

impl<I: Isa> Store<I> {
    /// As `output` has it.
    #[inline(always)]
    pub fn new(output: Output) -> Self {
        Self {
            min: I::splat8(output.min),
            max: I::splat8(output.max),
        }
    }

    /// The outputs of four vectors of scaled sums: in every quarter four of each vector. What
    /// saturates is beyond every clamp.
    #[inline(always)]
    pub fn bytes(&self, [a, b, c, d]: [I::Vector; 4]) -> I::Vector {
        let bytes = I::pack16(I::pack32(a, b), I::pack32(c, d));
        I::min8(I::max8(bytes, self.min), self.max)
    }
}

/// The vector of an array's bytes.
#[inline(always)]
pub fn vector<I: Isa, T: bytemuck::Pod, const N: usize>(values: &[T; N]) -> I::Vector {
    const { assert!(size_of::<T>() * N == BYTES) };
    // SAFETY: the array has the bytes of a vector.
    unsafe { I::load(values.as_ptr().cast()) }
}

/// The int32 of a vector.
#[inline(always)]
pub fn int32<I: Isa>(vector: I::Vector) -> [i32; LANES] {
    let mut values = [0; LANES];
    // SAFETY: the array has the bytes of a vector.
    unsafe { I::store(values.as_mut_ptr().cast(), vector) };
    values
}

/// The bytes of four vectors, four to an int32: those of the first four places of each quarter, of
/// the next four, and so on. [`Store::bytes`] has the order of the places again.
#[inline(always)]
pub fn interleave<I: Isa>([a, b, c, d]: [I::Vector; 4]) -> [I::Vector; 4] {
    let ([a_low, a_high], [c_low, c_high]) = (I::zip8(a, b), I::zip8(c, d));
    let ([first, second], [third, fourth]) = (I::zip16(a_low, c_low), I::zip16(a_high, c_high));
    [first, second, third, fourth]
}
