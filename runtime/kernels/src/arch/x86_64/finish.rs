//! From the sums of sixteen output channels to their int8 outputs.
//!
//! Of a product of 64 bits only the high word is used, rounded as the definition has it: that is
//! exact for factors below 1/4, whose rounding adds nothing to the low word. Blocks with another
//! factor are scaled one by one.

use super::isa::{BYTES, Isa, LANES};
use crate::num::{Multiplier, Output};
use crate::reference::conv2d::ConvConstants;

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
        shifts: [SHIFT_MAX; LANES],
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

/// The largest shift of a factor below 1/4.
const SHIFT_MAX: i8 = -2;

/// Factors of the lanes of a vector.
#[derive(Clone, Copy)]
pub struct Scale<I: Isa> {
    mantissas: [I::Vector; 2],
    half: I::Vector,
    /// Bits to the right of a product's high word: one less than the shift, negative.
    shift: I::Vector,
    /// What becomes of scaled values, where a factor is not below 1/4.
    large: Option<Output>,
}

impl<I: Isa> Scale<I> {
    /// Of these mantissas and shifts, for values that [`Store::bytes`] of `output` is given.
    #[inline(always)]
    pub fn new(mantissas: &[i32; LANES], shifts: &[i8; LANES], output: Output) -> Self {
        let largest = shifts.iter().copied().fold(i8::MIN, i8::max);
        if largest > SHIFT_MAX {
            let (shifts, largest) = without_zeros(mantissas, shifts);
            let large = (largest > SHIFT_MAX).then_some(output);
            return Self::of(mantissas, &shifts, large);
        }
        Self::of(mantissas, shifts, None)
    }

    #[inline(always)]
    fn of(mantissas: &[i32; LANES], shifts: &[i8; LANES], large: Option<Output>) -> Self {
        let even = vector::<I, _, _>(mantissas);
        let ones = I::splat32(-1);
        // SAFETY: the array has sixteen bytes.
        let shift = I::xor(unsafe { I::widen(shifts.as_ptr()) }, ones);
        Self {
            mantissas: [even, I::odd(even)],
            half: I::shift_left(I::splat32(1), I::add32(shift, ones)),
            shift,
            large,
        }
    }

    /// Scaled int32.
    #[inline(always)]
    pub fn apply(&self, values: I::Vector) -> I::Vector {
        if let Some(output) = self.large {
            let mut scaled = int32::<I>(values);
            let [mantissas, right] = [int32::<I>(self.mantissas[0]), int32::<I>(self.shift)];
            apply_large(&mut scaled, &mantissas, &right, output);
            return vector::<I, _, _>(&scaled);
        }
        let even = I::mul(values, self.mantissas[0]);
        let odd = I::mul(I::odd(values), self.mantissas[1]);
        let high = I::add32(I::high(even, odd), self.half);
        I::shift_right(high, self.shift)
    }
}

/// The shifts, and the largest one of them, once a factor of 0, which may have any, has a small one.
#[cold]
fn without_zeros(mantissas: &[i32; LANES], shifts: &[i8; LANES]) -> ([i8; LANES], i8) {
    let (mut shifts, mut largest) = (*shifts, SHIFT_MAX);
    for (shift, &mantissa) in shifts.iter_mut().zip(mantissas) {
        if mantissa == 0 {
            *shift = SHIFT_MAX;
        }
        largest = largest.max(*shift);
    }
    (shifts, largest)
}

/// Replaces values by the outputs less their zero point: adding that must wrap, which
/// [`Store::bytes`] does not.
#[cold]
fn apply_large(
    values: &mut [i32; LANES],
    mantissas: &[i32; LANES],
    right: &[i32; LANES],
    output: Output,
) {
    for (lane, value) in values.iter_mut().enumerate() {
        let multiplier = Multiplier {
            mantissa: mantissas[lane],
            shift: (-1 - right[lane]) as i8,
        };
        let stored = output.store(multiplier.apply(*value));
        *value = i32::from(stored) - i32::from(output.zero);
    }
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
    pub fn new(lanes: Lanes<'_>, output: Output) -> Self {
        Self {
            bias: vector::<I, _, _>(lanes.bias),
            scale: Scale::new(lanes.mantissas, lanes.shifts, output),
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
    zero: I::Vector,
    min: I::Vector,
    max: I::Vector,
}

impl<I: Isa> Store<I> {
    /// As `output` has it.
    #[inline(always)]
    pub fn new(output: Output) -> Self {
        Self {
            zero: I::splat16(output.zero.into()),
            min: I::splat8(output.min),
            max: I::splat8(output.max),
        }
    }

    /// The outputs of four vectors of scaled sums: in every quarter four of each vector.
    ///
    /// Factors below 1/4 leave so little of a sum that adding the zero point cannot wrap; what
    /// saturates is beyond every clamp.
    #[inline(always)]
    pub fn bytes(&self, [a, b, c, d]: [I::Vector; 4]) -> I::Vector {
        let low = I::add16(I::pack32(a, b), self.zero);
        let high = I::add16(I::pack32(c, d), self.zero);
        let bytes = I::pack16(low, high);
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

/// The bytes of a vector.
#[inline(always)]
pub fn bytes<I: Isa>(vector: I::Vector) -> [i8; BYTES] {
    let mut bytes = [0; BYTES];
    // SAFETY: the array has the bytes of a vector.
    unsafe { I::store(bytes.as_mut_ptr(), vector) };
    bytes
}

/// The int32 of a vector.
#[inline(always)]
fn int32<I: Isa>(vector: I::Vector) -> [i32; LANES] {
    bytemuck::cast(bytes::<I>(vector))
}
