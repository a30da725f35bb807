//! Softmax, its logarithm, and hardmax along one axis, in place.

use super::math::exp;
use crate::arch::simd::Kernel;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Columns, or parts of one, side by side.
const LANES: usize = 16;

/// What is computed along the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoftmaxKind {
    /// `e^x / Σ e^x`
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// 1 at the largest, the first of equals; else 0.
    Hardmax,
}

/// Parameters of a softmax along the middle axis of `[outer][len][inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftmaxF32 {
    /// What is computed.
    pub kind: SoftmaxKind,
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements along the axis.
    pub len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
}

impl SoftmaxF32 {
    fn elements(&self) -> usize {
        self.outer * self.len * self.inner
    }
}

impl Operator for SoftmaxF32 {
    fn kind(&self) -> &'static str {
        match self.kind {
            SoftmaxKind::Softmax => "softmax_f32",
            SoftmaxKind::LogSoftmax => "log_softmax_f32",
            SoftmaxKind::Hardmax => "hardmax_f32",
        }
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.len, self.inner]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.elements())
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.elements())
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let values = args.replace_input();
        set.float.simd.run(Apply(self, values));
    }
}

struct Apply<'a>(&'a SoftmaxF32, &'a mut [f32]);

impl Kernel for Apply<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(params, values) = self;
        for block in values.chunks_exact_mut(params.len * params.inner) {
            if params.inner == 1 {
                row(params.kind, block);
                continue;
            }
            let mut first = 0;
            while first + LANES <= params.inner {
                columns::<LANES>(params, first, block);
                first += LANES;
            }
            for first in first..params.inner {
                columns::<1>(params, first, block);
            }
        }
    }
}

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest of `values`.
#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = max(*lane, x);
        }
    }
    let all = lanes.iter().chain(rest);
    all.copied().fold(f32::NEG_INFINITY, max)
}

/// Replaces each element by its exponential relative to `top`; returns their sum.
#[inline(always)]
fn exponentials(values: &mut [f32], top: f32) -> f32 {
    let (blocks, rest) = values.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *x = exp(*x - top);
            *lane += *x;
        }
    }
    for x in rest.iter_mut() {
        *x = exp(*x - top);
    }
    lanes.iter().chain(&*rest).sum()
}

#[inline(always)]
fn row(kind: SoftmaxKind, values: &mut [f32]) {
    let top = largest(values);
    match kind {
        SoftmaxKind::Softmax => {
            let factor = 1.0 / exponentials(values, top);
            values.iter_mut().for_each(|x| *x *= factor);
        }
        SoftmaxKind::LogSoftmax => {
            let mut sum = [0.0; LANES];
            for values in values.chunks(LANES) {
                for (sum, &x) in sum.iter_mut().zip(values) {
                    *sum += exp(x - top);
                }
            }
            let below = libm::logf(sum.iter().sum());
            values.iter_mut().for_each(|x| *x = *x - top - below);
        }
        SoftmaxKind::Hardmax => {
            let at = values.iter().position(|&x| x == top).unwrap_or(0);
            values.fill(0.0);
            values[at] = 1.0;
        }
    }
}

/// `N` neighbouring columns from `first` on.
#[inline(always)]
fn columns<const N: usize>(params: &SoftmaxF32, first: usize, block: &mut [f32]) {
    let mut top = [f32::NEG_INFINITY; N];
    for values in block.chunks_exact(params.inner) {
        for (top, &x) in top.iter_mut().zip(&values[first..first + N]) {
            *top = max(*top, x);
        }
    }
    if params.kind == SoftmaxKind::Hardmax {
        let mut done = [false; N];
        for values in block.chunks_exact_mut(params.inner) {
            let pairs = values[first..first + N].iter_mut().zip(&top);
            for ((x, &top), done) in pairs.zip(&mut done) {
                let here = *x == top && !*done;
                *done |= here;
                *x = f32::from(u8::from(here));
            }
        }
        return;
    }
    let mut sum = [0.0; N];
    for values in block.chunks_exact(params.inner) {
        let pairs = values[first..first + N].iter().zip(&top);
        for ((&x, &top), sum) in pairs.zip(&mut sum) {
            *sum += exp(x - top);
        }
    }
    let logarithm = params.kind == SoftmaxKind::LogSoftmax;
    let scale = sum.map(|sum| {
        if logarithm {
            libm::logf(sum)
        } else {
            1.0 / sum
        }
    });
    for values in block.chunks_exact_mut(params.inner) {
        let pairs = values[first..first + N].iter_mut().zip(&top);
        for ((x, &top), &scale) in pairs.zip(&scale) {
            *x = if logarithm {
                *x - top - scale
            } else {
                exp(*x - top) * scale
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec;

    fn check(kind: SoftmaxKind, outer: usize, len: usize, inner: usize) {
        let params = SoftmaxF32 {
            kind,
            outer,
            len,
            inner,
        };
        let mut values = noise(1, params.elements());
        values[0] = 90.0;
        let mut expected = vec![0.0; values.len()];
        for column in 0..outer * inner {
            let first = column / inner * len * inner + column % inner;
            let column = values.iter().skip(first).step_by(inner).take(len);
            let top = column
                .clone()
                .fold(f64::MIN, |top, &x| top.max(f64::from(x)));
            let hit = column.clone().position(|&x| f64::from(x) == top);
            let sum: f64 = column.clone().map(|&x| libm::exp(f64::from(x) - top)).sum();
            for (at, &x) in column.enumerate() {
                expected[first + at * inner] = match kind {
                    SoftmaxKind::Softmax => libm::exp(f64::from(x) - top) / sum,
                    SoftmaxKind::LogSoftmax => f64::from(x) - top - libm::log(sum),
                    SoftmaxKind::Hardmax => f64::from(u8::from(Some(at) == hit)),
                };
            }
        }
        close(&run(&params, &[floats(&values)], &[])[0], expected, 1e-6);
    }

    #[test]
    fn every_axis_is_within_1e_6() {
        for kind in [
            SoftmaxKind::Softmax,
            SoftmaxKind::LogSoftmax,
            SoftmaxKind::Hardmax,
        ] {
            check(kind, 3, 21, 1);
            check(kind, 2, 5, 11);
            check(kind, 1, 1, 1);
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let params = |kind, inner| SoftmaxF32 {
            kind,
            outer: 2,
            len: 9,
            inner,
        };
        hostile(&[
            params(SoftmaxKind::Softmax, 1),
            params(SoftmaxKind::Hardmax, 1),
            params(SoftmaxKind::Hardmax, 3),
            params(SoftmaxKind::LogSoftmax, 3),
        ]);
    }
}
