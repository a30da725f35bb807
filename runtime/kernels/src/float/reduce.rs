//! Reductions over any of a view's axes. The result has the others, row major.

use super::math::exp;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use core::array;
use serde::{Deserialize, Serialize};

/// Sums that one pass keeps in registers: of neighbouring results, or parts of one.
const LANES: usize = 8;

/// What is computed of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReduceKind {
    /// `Σ x`
    Sum,
    /// `Σ x / n`
    Mean,
    /// The largest; NaN if one is.
    Max,
    /// The smallest; NaN if one is.
    Min,
    /// `Π x`
    Prod,
    /// `Σ |x|`
    L1,
    /// `√(Σ x²)`
    L2,
    /// `ln Σ x`
    LogSum,
    /// `ln Σ e^x`
    LogSumExp,
    /// `Σ x²`
    SumSquare,
}

/// Parameters of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReduceF32 {
    /// What is computed.
    pub kind: ReduceKind,
    /// Sizes of the input's axes.
    pub dims: [usize; AXES],
    /// Which axes the result lacks.
    pub reduced: [bool; AXES],
    /// How the input is read.
    pub input: Strides,
    /// Elements of the input.
    pub input_len: usize,
}

impl ReduceF32 {
    /// The sizes of the axes for which `reduced` is `which`; the others are 1.
    fn axes(&self, which: bool) -> [usize; AXES] {
        array::from_fn(|axis| {
            if self.reduced[axis] == which {
                self.dims[axis]
            } else {
                1
            }
        })
    }

    fn outputs_len(&self) -> usize {
        self.axes(false).iter().product()
    }
}

impl Operator for ReduceF32 {
    fn kind(&self) -> &'static str {
        "reduce_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.input_len])?;
        self.input.check(self.dims, self.input_len)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.input_len)
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.outputs_len())
    }

    fn macs(&self) -> usize {
        self.dims.iter().product()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let input = args.input(0);
        let count = self.axes(true).iter().product::<usize>() as f32;
        let fold = Fold::new(self, input);
        let (sum, square) = (|a, b| a + b, |a, x| a + x * x);
        let out = args.output(0);
        match self.kind {
            ReduceKind::Sum => fold.run(out, 0.0, sum, sum, |x| x),
            ReduceKind::Mean => fold.run(out, 0.0, sum, sum, |x| x / count),
            ReduceKind::Max => fold.run(out, f32::NEG_INFINITY, max, max, |x| x),
            ReduceKind::Min => fold.run(out, f32::INFINITY, min, min, |x| x),
            ReduceKind::Prod => fold.run(out, 1.0, |a, b| a * b, |a, b| a * b, |x| x),
            ReduceKind::L1 => fold.run(out, 0.0, |a, x: f32| a + x.abs(), sum, |x| x),
            ReduceKind::L2 => fold.run(out, 0.0, square, sum, libm::sqrtf),
            ReduceKind::SumSquare => fold.run(out, 0.0, square, sum, |x| x),
            ReduceKind::LogSum => fold.run(out, 0.0, sum, sum, libm::logf),
            ReduceKind::LogSumExp => fold.log_sum_exp(out),
        }
    }
}

fn max(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

fn min(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// The axes of a reduction, apart.
struct Fold<'a> {
    params: &'a ReduceF32,
    input: &'a [f32],
    /// The last axis that stays, and its step; `AXES` where none does.
    kept_last: usize,
    /// The last axis that goes, and its step; `AXES` where none does.
    reduced_last: usize,
}

impl<'a> Fold<'a> {
    fn new(params: &'a ReduceF32, input: &'a [f32]) -> Self {
        let last = |which| {
            let mut axes = (0..AXES).rev();
            let found = axes.find(|&axis| params.reduced[axis] == which && params.dims[axis] > 1);
            found.unwrap_or(AXES)
        };
        Self {
            params,
            input,
            kept_last: last(false),
            reduced_last: last(true),
        }
    }

    /// The step along `axis`; 0 where there is no such axis.
    fn step(&self, axis: usize) -> isize {
        self.params.input.strides.get(axis).copied().unwrap_or(0)
    }

    /// Folds each set of elements with `step`, joins partial results with `join`.
    #[inline(always)]
    fn run(
        &self,
        out: &mut [f32],
        start: f32,
        step: impl Fn(f32, f32) -> f32,
        join: impl Fn(f32, f32) -> f32,
        finish: impl Fn(f32) -> f32,
    ) {
        let mut kept = self.params.axes(false);
        let side_by_side = self.kept_last < AXES && self.step(self.kept_last) == 1;
        let len = if side_by_side {
            kept[self.kept_last]
        } else {
            1
        };
        if side_by_side {
            kept[self.kept_last] = 1;
        }
        let mut rows = out.chunks_exact_mut(len);
        for_each(kept, |index| {
            let Some(row) = rows.next() else { return };
            let mut first = self.params.input.at(index);
            for row in row.chunks_mut(LANES) {
                if let Ok(row) = <&mut [f32; LANES]>::try_from(&mut *row) {
                    *row = self.neighbours(first, start, &step).map(&finish);
                } else {
                    for (at, out) in (first..).zip(&mut *row) {
                        *out = finish(self.single(at, start, &step, &join));
                    }
                }
                first += row.len();
            }
        });
    }

    /// Offsets, from an element, of all that are folded with it.
    fn offsets(&self, dims: [usize; AXES], mut each: impl FnMut(isize)) {
        let view = Strides {
            offset: 0,
            ..self.params.input
        };
        for_each(dims, |index| {
            let steps = index.iter().zip(&view.strides);
            each(steps.map(|(&index, &stride)| index as isize * stride).sum());
        });
    }

    #[inline(always)]
    fn neighbours(
        &self,
        first: usize,
        start: f32,
        step: &impl Fn(f32, f32) -> f32,
    ) -> [f32; LANES] {
        let mut folded = [start; LANES];
        self.offsets(self.params.axes(true), |offset| {
            let values = &self.input[first.wrapping_add_signed(offset)..][..LANES];
            for (folded, &x) in folded.iter_mut().zip(values) {
                *folded = step(*folded, x);
            }
        });
        folded
    }

    #[inline(always)]
    fn single(
        &self,
        first: usize,
        start: f32,
        step: &impl Fn(f32, f32) -> f32,
        join: &impl Fn(f32, f32) -> f32,
    ) -> f32 {
        let mut dims = self.params.axes(true);
        let side_by_side = self.reduced_last < AXES && self.step(self.reduced_last) == 1;
        let len = if side_by_side {
            dims[self.reduced_last]
        } else {
            1
        };
        if side_by_side {
            dims[self.reduced_last] = 1;
        }
        let mut lanes = [start; LANES];
        self.offsets(dims, |offset| {
            let run = &self.input[first.wrapping_add_signed(offset)..][..len];
            for run in run.chunks(LANES) {
                for (lane, &x) in lanes.iter_mut().zip(run) {
                    *lane = step(*lane, x);
                }
            }
        });
        lanes.into_iter().fold(start, join)
    }

    /// The exponentials are relative to the largest element, so that none overflows.
    fn log_sum_exp(&self, out: &mut [f32]) {
        let dims = self.params.axes(true);
        let mut outs = out.iter_mut();
        for_each(self.params.axes(false), |index| {
            let Some(out) = outs.next() else { return };
            let first = self.params.input.at(index);
            let top = self.single(first, f32::NEG_INFINITY, &max, &max);
            // Infinite differences would not be numbers.
            let top = if top.is_finite() { top } else { 0.0 };
            let mut sum = 0.0;
            self.offsets(dims, |offset| {
                sum += exp(self.input[first.wrapping_add_signed(offset)] - top);
            });
            *out = top + libm::logf(sum);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    fn params(kind: ReduceKind, dims: [usize; AXES], reduced: u8) -> ReduceF32 {
        ReduceF32 {
            kind,
            dims,
            reduced: array::from_fn(|axis| reduced >> axis & 1 == 1),
            input: Strides::row_major(dims),
            input_len: dims.iter().product(),
        }
    }

    fn exact(kind: ReduceKind, values: &[f64]) -> f64 {
        let sum = |f: &dyn Fn(f64) -> f64| values.iter().map(|&x| f(x)).sum::<f64>();
        match kind {
            ReduceKind::Sum => sum(&|x| x),
            ReduceKind::Mean => sum(&|x| x) / values.len() as f64,
            ReduceKind::Max => values.iter().copied().fold(f64::MIN, f64::max),
            ReduceKind::Min => values.iter().copied().fold(f64::MAX, f64::min),
            ReduceKind::Prod => values.iter().product(),
            ReduceKind::L1 => sum(&f64::abs),
            ReduceKind::L2 => libm::sqrt(sum(&|x| x * x)),
            ReduceKind::LogSum => libm::log(sum(&|x| x)),
            ReduceKind::LogSumExp => libm::log(sum(&libm::exp)),
            ReduceKind::SumSquare => sum(&|x| x * x),
        }
    }

    fn check(params: &ReduceF32) {
        let input: Vec<f32> = noise(1, params.input_len).iter().map(|x| x + 2.1).collect();
        let mut sets = vec![Vec::new(); params.outputs_len()];
        let results = Strides::row_major(params.axes(false));
        for_each(params.dims, |index| {
            let kept = array::from_fn(|axis| if params.reduced[axis] { 0 } else { index[axis] });
            sets[results.at(kept)].push(f64::from(input[params.input.at(index)]));
        });
        let expected = sets.iter().map(|set| exact(params.kind, set));
        close(&run(params, &[floats(&input)], &[])[0], expected, 2e-5);
    }

    #[test]
    fn any_axes_are_within_2e_5() {
        for kind in (0..10).map(|kind| postcard::from_bytes(&[kind]).unwrap()) {
            for reduced in 0..64 {
                check(&params(kind, [1, 2, 1, 3, 2, 9], reduced));
            }
            let mut transposed = params(kind, [1, 1, 3, 2, 5, 11], 0b01_0100);
            transposed.input.strides = [0, 0, 1, 3, 66, 6];
            check(&transposed);
        }
    }

    #[test]
    fn infinities_stay() {
        let params = params(ReduceKind::LogSumExp, [1, 1, 1, 1, 2, 2], 0b10_0000);
        let input = floats(&[f32::NEG_INFINITY, f32::NEG_INFINITY, 1.0, f32::INFINITY]);
        let got = run(&params, &[input], &[]);
        assert_eq!(got[0], floats(&[f32::NEG_INFINITY, f32::INFINITY]));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let dims = [1, 2, 1, 3, 2, 9];
        hostile(&[
            params(ReduceKind::Max, dims, 0b00_1010),
            params(ReduceKind::Mean, dims, 0b10_0010),
            params(ReduceKind::LogSumExp, dims, 0b11_0000),
        ]);
    }
}
