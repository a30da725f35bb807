//! A small seeded generator of the things that kernels take.

use crate::num::{Multiplier, Output};
use crate::view::{AXES, Broadcast, Strides};
use core::array;
use core::ops::RangeInclusive;

/// Splitmix64: every seed gives another stream, and the same one everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 32) as u32
    }

    /// A number of `range`.
    pub fn size(&mut self, range: RangeInclusive<usize>) -> usize {
        let (low, high) = range.into_inner();
        low + self.next() as usize % (high - low + 1)
    }

    /// Whether something happens that does so once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.size(1..=n) == 1
    }

    /// Any int8; the limits more often than others.
    pub fn int8(&mut self) -> i8 {
        match self.size(0..=15) {
            0 => i8::MIN,
            1 => i8::MAX,
            _ => self.next() as i8,
        }
    }

    /// A zero point: in the middle half of the time, else any.
    pub fn zero(&mut self) -> i8 {
        let any = self.int8();
        if self.once_in(2) { 0 } else { any }
    }

    /// Any int32.
    pub fn int32(&mut self) -> i32 {
        self.next() as i32
    }

    /// Fills `values` with int8.
    pub fn fill(&mut self, values: &mut [i8]) {
        values.fill_with(|| self.int8());
    }

    /// A bias: most often small, at times any int32.
    pub fn bias(&mut self) -> i32 {
        let any = self.next() as i32;
        if self.once_in(16) { any } else { any >> 16 }
    }

    /// A valid mantissa: both limits and 0 often.
    fn mantissa(&mut self) -> i32 {
        match self.size(0..=15) {
            0 => 0,
            1..=3 => 1 << 30,
            4..=6 => i32::MAX,
            _ => (self.next() >> 2 | 1 << 30) as i32,
        }
    }

    /// A valid shift: most often one of `typical`.
    fn shift(&mut self, typical: RangeInclusive<i8>) -> i8 {
        let shifts = if self.once_in(8) {
            Multiplier::SHIFT_MIN..=Multiplier::SHIFT_MAX
        } else {
            typical
        };
        let (low, high) = shifts.into_inner();
        low + self.size(0..=(high - low) as usize) as i8
    }

    /// A valid multiplier: mantissas at both limits often, shifts of `typical` most often.
    pub fn multiplier(&mut self, typical: RangeInclusive<i8>) -> Multiplier {
        Multiplier {
            mantissa: self.mantissa(),
            shift: self.shift(typical),
        }
    }

    /// Fills `mantissas` with those of multipliers.
    pub fn fill_mantissas(&mut self, mantissas: &mut [i32]) {
        mantissas.fill_with(|| self.mantissa());
    }

    /// Fills `shifts` with those of multipliers.
    pub fn fill_shifts(&mut self, typical: RangeInclusive<i8>, shifts: &mut [i8]) {
        shifts.fill_with(|| self.shift(typical.clone()));
    }

    /// Dims of `axes` axes that are in use, with at most 5 elements each, after axes of 1.
    pub fn dims(&mut self, axes: RangeInclusive<usize>) -> [usize; AXES] {
        let mut dims = [1; AXES];
        let axes = self.size(axes);
        dims[AXES - axes..].fill_with(|| self.size(1..=5));
        dims
    }

    /// Two operands: of one shape, broadcast, or read in any other way.
    pub fn broadcast(&mut self) -> Broadcast {
        if self.once_in(3) {
            return Broadcast::flat(self.size(1..=99));
        }
        let dims = self.dims(1..=4);
        if self.once_in(2) {
            let operands = [(); 2].map(|()| dims.map(|dim| if self.once_in(3) { 1 } else { dim }));
            return Broadcast::of(dims, operands);
        }
        let [a, b] = [(); 2].map(|()| self.view(dims));
        let a = if self.once_in(2) {
            a
        } else {
            Strides::row_major(dims)
        };
        Broadcast { dims, a, b }
    }

    /// Any view over `dims`: axes are transposed, repeated, skipped through and walked backwards.
    pub fn view(&mut self, dims: [usize; AXES]) -> Strides {
        let mut order: [usize; AXES] = array::from_fn(|axis| axis);
        for axis in 1..AXES {
            order.swap(axis, self.size(0..=axis));
        }
        let (mut view, mut stride) = (Strides::SCALAR, 1);
        view.offset = self.size(0..=3);
        for axis in order {
            if self.once_in(5) {
                continue;
            }
            let step = if stride < 99 && self.once_in(6) { 2 } else { 1 };
            let along = (stride * step) as isize;
            if self.once_in(4) {
                view.offset += along as usize * (dims[axis] - 1);
                view.strides[axis] = -along;
            } else {
                view.strides[axis] = along;
            }
            stride *= step * dims[axis];
        }
        view
    }

    /// An output: all int8 half of the time, else clamped.
    pub fn output(&mut self) -> Output {
        let [min, max] = self.clamp();
        Output {
            zero: self.int8(),
            min,
            max,
        }
    }

    /// Lower and upper clamp.
    pub fn clamp(&mut self) -> [i8; 2] {
        let (a, b) = (self.int8(), self.int8());
        if self.once_in(2) {
            [i8::MIN, i8::MAX]
        } else {
            [a.min(b), a.max(b)]
        }
    }
}
