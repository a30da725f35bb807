//! How near a quantized graph is to the float one: powers, noises, decibels.

use super::groups::Groups;
use super::samples::Arranged;
use super::trace::Runnable;
use crate::error::CompileError;
use crate::graph::{EdgeId, Graph, Quantization};
use std::ops::ControlFlow;

/// Power of a signal and of the difference to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Powers {
    pub signal: f64,
    pub noise: f64,
}

impl Powers {
    pub fn add(&mut self, real: &[f32], found: &[f32]) {
        for (&real, &found) in real.iter().zip(found) {
            self.signal += f64::from(real) * f64::from(real);
            let difference = f64::from(found) - f64::from(real);
            self.noise += difference * difference;
        }
    }

    fn merge(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
    }

    /// The signal-to-noise ratio; infinite where there is no noise.
    pub fn decibels(self) -> f64 {
        if self.noise == 0.0 {
            f64::INFINITY
        } else {
            10.0 * (self.signal / self.noise).log10()
        }
    }
}

/// The float model's outputs over samples, with which quantized graphs are compared.
pub(super) struct Judge {
    samples: Arranged,
    outputs: Vec<Vec<Vec<f32>>>,
}

/// Decibels beyond which an output is taken to be as good as exact.
const DECIBELS_MAX: f64 = 120.0;

impl Judge {
    pub fn new(float: &Runnable, samples: Arranged) -> Self {
        let outputs = float.outputs(&samples);
        Self { samples, outputs }
    }

    /// The mean over the outputs of their signal-to-noise ratios in decibels.
    pub fn score(&self, graph: &Graph) -> Result<f64, CompileError> {
        let powers = self.outputs(graph)?;
        let score = |powers: &Powers| powers.decibels().clamp(-DECIBELS_MAX, DECIBELS_MAX);
        let sum: f64 = powers.iter().map(score).sum();
        Ok(sum / powers.len().max(1) as f64)
    }

    /// The score of `template` with these quantizations.
    pub fn score_of(
        &self,
        template: &Graph,
        groups: &Groups,
        quantizations: &[Quantization],
    ) -> Result<f64, CompileError> {
        self.score(&groups.quantized(template, quantizations))
    }

    /// Signal and noise of each output.
    pub fn outputs(&self, graph: &Graph) -> Result<Vec<Powers>, CompileError> {
        let found = Runnable::new(graph)?.outputs(&self.samples);
        let mut powers = vec![Powers::default(); graph.outputs.len()];
        for (real, found) in self.outputs.iter().zip(&found) {
            for ((powers, real), found) in powers.iter_mut().zip(real).zip(found) {
                powers.add(real, found);
            }
        }
        Ok(powers)
    }
}

/// Signal and noise of each edge of the float graph, by its id, when each model runs by itself.
pub(super) fn edges(
    float: &Runnable,
    integer: &Runnable,
    samples: &Arranged,
    count: usize,
) -> Vec<Powers> {
    let mut powers = vec![Powers::default(); count];
    // A few samples at a time, so that memory does not grow with their number.
    for part in samples.0.chunks(4) {
        let few = Arranged(part.to_vec());
        let keep = |kept: &mut Vec<Vec<f32>>, edge: EdgeId, values: &[f32]| {
            if let Some(kept) = kept.get_mut(edge.0) {
                *kept = values.to_vec();
            }
            ControlFlow::Continue(())
        };
        let start = || vec![Vec::new(); count];
        let real = float.trace(&few, start, keep);
        let found = integer.trace(&few, start, keep);
        for (real, found) in real.iter().zip(&found) {
            for ((powers, real), found) in powers.iter_mut().zip(real).zip(found) {
                let mut edge = Powers::default();
                edge.add(real, found);
                powers.merge(edge);
            }
        }
    }
    powers
}
