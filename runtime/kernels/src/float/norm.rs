//! Normalisation of rows: by mean and variance (layer), or by the root of the mean square.

use super::source::{Reads, Source};
use crate::arch::simd::Kernel;
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, extents};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Sums side by side.
const LANES: usize = 16;

/// What a row is normalised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormKind {
    /// `(x − mean) / √(variance + epsilon)`
    Layer,
    /// `x / √(mean of x² + epsilon)`
    Rms,
}

/// Parameters of a normalisation of `rows` rows of `len` elements. It reads the rows, `gamma` and
/// `beta`: the result is `normalised · gamma + beta`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormF32 {
    /// What a row is normalised by.
    pub kind: NormKind,
    /// Rows.
    pub rows: usize,
    /// Elements of each.
    pub len: usize,
    /// What is added under the root.
    pub epsilon: f32,
    /// Where the factor of each element of a row is, if there is one.
    pub gamma: Source,
    /// Where the summand of each element of a row is, if there is one.
    pub beta: Source,
    /// Whether each row's mean, and then each row's factor, are outputs too.
    pub moments: bool,
}

/// The sum of `f` of each element.
#[inline(always)]
pub(super) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    // Rows of lanes first: the error grows with the length of a row, not with that of the whole.
    let parts = values.chunks(64 * LANES).map(|part| {
        let (blocks, rest) = part.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for block in blocks {
            for (lane, &x) in lanes.iter_mut().zip(block) {
                *lane += f(x);
            }
        }
        let rest = rest.iter().map(|&x| f(x)).sum::<f32>();
        lanes.iter().sum::<f32>() + rest
    });
    parts.sum()
}

impl NormF32 {
    fn reads(&self) -> Reads {
        Reads::new(&[
            (
                Source::Operand,
                Extent::new(Element::F32, self.rows * self.len),
            ),
            (self.gamma, Extent::new(Element::F32, self.len)),
            (self.beta, Extent::new(Element::F32, self.len)),
        ])
    }

    /// Replaces a row by what it becomes; returns its mean and factor.
    #[inline(always)]
    fn normalise(&self, values: &mut [f32], gamma: &[f32], beta: &[f32]) -> [f32; 2] {
        let [mean, factor] = self.moments(values);
        values.iter_mut().for_each(|x| *x = (*x - mean) * factor);
        values
            .iter_mut()
            .zip(gamma)
            .for_each(|(x, gamma)| *x *= gamma);
        values.iter_mut().zip(beta).for_each(|(x, beta)| *x += beta);
        [mean, factor]
    }

    /// Mean and factor of a row.
    #[inline(always)]
    fn moments(&self, row: &[f32]) -> [f32; 2] {
        let count = self.len as f32;
        let mean = match self.kind {
            NormKind::Layer => sum(row, |x| x) / count,
            NormKind::Rms => 0.0,
        };
        let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
        [mean, 1.0 / libm::sqrtf(variance + self.epsilon)]
    }
}

impl Operator for NormF32 {
    fn kind(&self) -> &'static str {
        match self.kind {
            NormKind::Layer => "layer_norm_f32",
            NormKind::Rms => "rms_norm_f32",
        }
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.rows, self.len]).map(drop)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        let values = Extent::new(Element::F32, self.rows * self.len);
        let moment = Extent::new(Element::F32, self.rows);
        extents(&[values, moment, moment][..if self.moments { 3 } else { 1 }])
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let reads = self.reads();
        let (gamma, beta): (&[f32], &[f32]) = (reads.get(&args, 1), reads.get(&args, 2));
        args.replace_input::<f32>();
        set.float.simd.run(Normalise {
            params: self,
            gamma,
            beta,
            outputs: &mut args,
        });
    }
}

struct Normalise<'a, 'm> {
    params: &'a NormF32,
    gamma: &'a [f32],
    beta: &'a [f32],
    outputs: &'a mut Args<'m>,
}

impl Kernel for Normalise<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let NormF32 { rows, len, .. } = *self.params;
        for row in 0..rows {
            let values = &mut self.outputs.output(0)[row * len..][..len];
            let [mean, factor] = self.params.normalise(values, self.gamma, self.beta);
            if self.params.moments {
                self.outputs.output(1)[row] = mean;
                self.outputs.output(2)[row] = factor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const NORM: NormF32 = NormF32 {
        kind: NormKind::Layer,
        rows: 3,
        len: 700,
        epsilon: 1e-5,
        gamma: Source::Constant,
        beta: Source::Operand,
        moments: true,
    };

    fn check(params: &NormF32) {
        let len = params.len;
        let input: Vec<_> = noise(1, params.rows * len)
            .iter()
            .map(|x| x + 3.0)
            .collect();
        let (gamma, beta) = (noise(2, len), noise(3, len));
        let (mut values, mut means, mut factors) = (Vec::new(), Vec::new(), Vec::new());
        for row in input.chunks(len) {
            let mean_of = |f: &dyn Fn(f64) -> f64| {
                row.iter().map(|&x| f(f64::from(x))).sum::<f64>() / len as f64
            };
            let mean = match params.kind {
                NormKind::Layer => mean_of(&|x| x),
                NormKind::Rms => 0.0,
            };
            let variance = mean_of(&|x| (x - mean) * (x - mean));
            let factor = 1.0 / libm::sqrt(variance + f64::from(params.epsilon));
            means.push(mean);
            factors.push(factor);
            values.extend(row.iter().enumerate().map(|(at, &x)| {
                (f64::from(x) - mean) * factor * f64::from(gamma[at]) + f64::from(beta[at])
            }));
        }
        let got = run(params, &[floats(&input), floats(&beta)], &[floats(&gamma)]);
        close(&got[0], values, 1e-5);
        close(&got[1], means, 1e-5);
        close(&got[2], factors, 1e-5);
    }

    #[test]
    fn both_are_within_1e_5() {
        check(&NORM);
        check(&NormF32 {
            kind: NormKind::Rms,
            ..NORM
        });
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[NormF32 { len: 11, ..NORM }]);
    }
}
