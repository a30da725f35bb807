//! How near a quantized graph is to the float one: powers, noises, decibels.

use super::groups::Groups;
use super::samples::Arranged;
use super::trace::{Runnable, Values};
use crate::error::CompileError;
use crate::graph::{EdgeId, Graph, Kind, Op, Quantization};
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

/// What the float model makes of samples, with which quantized graphs are compared: its outputs
/// and, where an output is a softmax, what goes into that. Probabilities near 0 and 1 tell little,
/// so that few samples would be fitted by chance.
pub(super) struct Judge {
    samples: Arranged,
    edges: Vec<EdgeId>,
    values: Vec<Vec<Vec<f32>>>,
}

/// How near a graph is to the float one: mean signal-to-noise ratios in decibels, over every other
/// sample and over the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Marks([f64; 2]);

impl Marks {
    /// The mean of both halves.
    pub fn mean(self) -> f64 {
        f64::midpoint(self.0[0], self.0[1])
    }

    /// Whether it is better by more than `least` decibels, and on neither half worse: what only
    /// some samples gain by is chance.
    pub fn beats(self, other: Self, least: f64) -> bool {
        let mut halves = self.0.iter().zip(other.0);
        self.mean() > other.mean() + least && halves.all(|(new, old)| *new >= old)
    }
}

/// Decibels beyond which an edge is taken to be as good as exact.
const DECIBELS_MAX: f64 = 120.0;

impl Judge {
    pub fn new(graph: &Graph, float: &Runnable, samples: Arranged) -> Self {
        let mut edges: Vec<EdgeId> = Vec::new();
        for port in &graph.outputs {
            let producer = graph.edge(port.edge).producer;
            let producer = producer.map(|node| &graph.nodes[node.0]);
            let softmax = producer.filter(|node| matches!(node.op, Op::Softmax(_)));
            edges.extend(softmax.map(|node| node.inputs[0]));
            edges.push(port.edge);
        }
        edges.retain(|edge| graph.edge(*edge).kind == Kind::Real);
        let values = float.values(&samples, &edges);
        Self {
            samples,
            edges,
            values,
        }
    }

    /// How near `graph` is to the float model.
    ///
    /// # Errors
    /// When the graph cannot be compiled.
    pub fn score(&self, graph: &Graph) -> Result<Marks, CompileError> {
        let found = Runnable::new(graph)?.values(&self.samples, &self.edges);
        let mut halves = [0, 1].map(|_| vec![Powers::default(); self.edges.len()]);
        for (sample, (real, found)) in self.values.iter().zip(&found).enumerate() {
            let half = &mut halves[sample % 2];
            for ((powers, real), found) in half.iter_mut().zip(real).zip(found) {
                powers.add(real, found);
            }
        }
        if self.samples.0.len() == 1 {
            halves[1] = halves[0].clone();
        }
        let mark = |powers: &Powers| powers.decibels().clamp(-DECIBELS_MAX, DECIBELS_MAX);
        let mean =
            |half: Vec<Powers>| half.iter().map(mark).sum::<f64>() / half.len().max(1) as f64;
        Ok(Marks(halves.map(mean)))
    }

    /// The score of `template` with these quantizations.
    pub fn score_of(
        &self,
        template: &Graph,
        groups: &Groups,
        quantizations: &[Quantization],
    ) -> Result<Marks, CompileError> {
        self.score(&groups.quantized(template, quantizations))
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
        let keep = |kept: &mut Vec<Vec<f32>>, edge: EdgeId, values: Values<'_>| {
            if let Some(kept) = kept.get_mut(edge.0) {
                *kept = values.reals();
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
