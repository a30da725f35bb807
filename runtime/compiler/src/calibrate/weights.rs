//! Weights in int8: symmetric, a scale for each output channel.

use crate::graph::{Graph, Op};
use crate::ops::convolution::{Convolution, Weights};

/// Largest magnitude of an int8 weight.
const LARGEST: f64 = 127.0;
/// Largest bias in steps of its weights: with any sensible scale of the input no sum overflows.
const BIAS_MAX: f64 = (1 << 16) as f64;

/// Makes the weights of every convolution of `graph` int8; those that are so already stay.
pub(super) fn quantize(graph: &mut Graph) {
    for node in &mut graph.nodes {
        if let Op::Convolution(convolution) = &mut node.op {
            convolution.weights = quantized(convolution);
        }
    }
}

fn quantized(convolution: &Convolution) -> Weights {
    let Weights::Float(values) = &convolution.weights else {
        return convolution.weights.clone();
    };
    let mut integers = Vec::with_capacity(values.len());
    let mut scales = Vec::new();
    for (channel, weights) in values.chunks_exact(convolution.taps()).enumerate() {
        let scale = scale(weights, convolution.bias[channel]);
        let integer = |&it: &f32| (f64::from(it) / f64::from(scale)).round_ties_even();
        integers.extend(
            weights
                .iter()
                .map(|it| integer(it).clamp(-LARGEST, LARGEST) as i8),
        );
        scales.push(scale);
    }
    Weights::Quantized {
        values: integers,
        scales,
    }
}

/// The smallest scale that holds `weights`, and that is not lost beside `bias`.
fn scale(weights: &[f32], bias: f64) -> f32 {
    let largest = weights.iter().fold(0.0, |max, it| it.abs().max(max));
    let scale = f64::from(largest) / LARGEST;
    // A channel of tiny weights and a large bias: fewer bits of the weights, and no overflow.
    let least = bias.abs() / BIAS_MAX;
    match scale.max(least) as f32 {
        scale if scale > 0.0 => scale,
        _ => 1.0,
    }
}
