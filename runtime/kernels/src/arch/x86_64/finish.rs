//! From the sums of sixteen output channels to their int8 outputs.
//!
//! Of a product of 64 bits only the high word is used, rounded as the definition has it: that is
//! exact for factors below 1/4, whose rounding adds nothing to the low word. Blocks with another
//! factor are scaled one by one.

use super::isa::{BYTES, Isa, LANES};
use crate::num::{Multiplier, Output};
use crate::reference::conv2d::ConvConstants;
use core::array;

/// Constants of sixteen channels; those that are missing are 0.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// Biases.
    pub bias: [i32; LANES],
    /// Mantissas.
    pub mantissas: [i32; LANES],
    /// Shifts.
    pub shifts: [i8; LANES],
}

impl Lanes {
    /// Those of no channels.
    pub const NONE: Self = Self {
        bias: [0; LANES],
        mantissas: [0; LANES],
        shifts: [SHIFT_MAX; LANES],
    };

    /// Those of the channels from `first` on.
    #[inline(always)]
    pub fn new(constants: &ConvConstants<'_>, first: usize) -> Self {
        let mut lanes = Self::NONE;
        fill(&mut lanes.bias, &constants.bias[first..]);
        fill(&mut lanes.mantissas, &constants.mantissas[first..]);
        fill(&mut lanes.shifts, &constants.shifts[first..]);
        lanes
    }
}

/// Copies what there is, up to sixteen.
#[inline(always)]
fn fill<T: Copy>(lanes: &mut [T; LANES], values: &[T]) {
    match values.first_chunk() {
        Some(whole) => *lanes = *whole,
        None => lanes[..values.len()].copy_from_slice(values),
    }
}

/// The largest shift of a factor below 1/4.
const SHIFT_MAX: i8 = -2;

/// Factors of the lanes of a vector.
pub struct Scale<I: Isa> {
    mantissas: [I::Vector; 2],
    half: I::Vector,
    shift: I::Vector,
    /// All of it again, where a factor is not below 1/4.
    large: Option<Large>,
}

/// Any factors, and what becomes of values that are scaled by them.
struct Large {
    multipliers: [Multiplier; LANES],
    output: Output,
}

impl<I: Isa> Scale<I> {
    /// Of these mantissas and shifts, for values that [`Store::bytes`] of `output` is given.
    #[inline(always)]
    pub fn new(mantissas: &[i32; LANES], shifts: &[i8; LANES], output: Output) -> Self {
        let (mut half, mut right) = ([0; LANES], [0; LANES]);
        let mut largest = SHIFT_MAX;
        for lane in 0..LANES {
            largest = largest.max(shifts[lane]);
            let shift = i32::from(shifts[lane].min(SHIFT_MAX));
            right[lane] = -1 - shift;
            half[lane] = 1_i32 << (-2 - shift);
        }
        let even = vector::<I, _, _>(mantissas);
        Self {
            mantissas: [even, I::odd(even)],
            half: vector::<I, _, _>(&half),
            shift: vector::<I, _, _>(&right),
            large: (largest > SHIFT_MAX).then(|| Large::new(mantissas, shifts, output)),
        }
    }

    /// Scaled int32.
    #[inline(always)]
    pub fn apply(&self, values: I::Vector) -> I::Vector {
        if let Some(large) = &self.large {
            let mut scaled = bytemuck::cast(bytes::<I>(values));
            large.apply(&mut scaled);
            return vector::<I, _, _>(&scaled);
        }
        let even = I::mul(values, self.mantissas[0]);
        let odd = I::mul(I::odd(values), self.mantissas[1]);
        let high = I::add32(I::high(even, odd), self.half);
        I::shift_right(high, self.shift)
    }
}

impl Large {
    #[cold]
    fn new(mantissas: &[i32; LANES], shifts: &[i8; LANES], output: Output) -> Self {
        let multipliers = array::from_fn(|lane| Multiplier {
            mantissa: mantissas[lane],
            shift: shifts[lane],
        });
        Self {
            multipliers,
            output,
        }
    }

    /// Replaces values by the outputs less their zero point: adding that must wrap, which
    /// [`Store::bytes`] does not.
    #[cold]
    fn apply(&self, values: &mut [i32; LANES]) {
        for (value, multiplier) in values.iter_mut().zip(&self.multipliers) {
            let stored = self.output.store(multiplier.apply(*value));
            *value = i32::from(stored) - i32::from(self.output.zero);
        }
    }
}

/// What begins the sums of sixteen channels, and what becomes of them.
pub struct Block<I: Isa> {
    /// Where sums begin.
    pub bias: I::Vector,
    scale: Scale<I>,
}

impl<I: Isa> Block<I> {
    /// Of the channels that `lanes` are.
    #[inline(always)]
    pub fn new(lanes: &Lanes, output: Output) -> Self {
        Self {
            bias: vector::<I, _, _>(&lanes.bias),
            scale: Scale::new(&lanes.mantissas, &lanes.shifts, output),
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
