//! Convolutions: folded biases, multipliers, and the proof that no sum overflows.

use super::factor::multiplier;
use super::{ConvTensors, Edges, Kernel};
use crate::error::Refusal;
use crate::graph::Quantization;
use crate::graph::op::Convolution;
use microtome_kernels::reference::{conv2d::Conv2d, depthwise::Depthwise};

pub(super) fn convolution(op: &Convolution, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
    let tensors = tensors(op, edges.input(0), edges.output())?;
    let (input_zero, store) = (edges.input(0).zero, edges.store());
    if op.is_depthwise() {
        let params = Depthwise {
            input: op.input,
            output: op.output,
            window: op.window,
            input_zero,
            store,
        };
        let weights = channels_innermost(&tensors.weights, op.taps());
        return Ok(Kernel::Depthwise(
            params,
            ConvTensors { weights, ..tensors },
        ));
    }
    let params = Conv2d {
        input: op.input,
        output: op.output,
        window: op.window,
        groups: op.groups,
        input_zero,
        store,
    };
    Ok(Kernel::Conv2d(params, tensors))
}

fn tensors(
    op: &Convolution,
    input: Quantization,
    output: Quantization,
) -> Result<ConvTensors, Refusal> {
    let channels = op.output.channels;
    let mut tensors = ConvTensors {
        weights: op.weights.clone(),
        bias: Vec::with_capacity(channels),
        mantissas: Vec::with_capacity(channels),
        shifts: Vec::with_capacity(channels),
    };
    for (channel, weights) in op.weights.chunks_exact(op.taps()).enumerate() {
        let scale = f64::from(input.scale) * f64::from(op.scales[channel]);
        let bias = (op.bias[channel] / scale).round_ties_even();
        let (bias, largest) = folded(weights, bias, input.zero, channel)?;
        let factor = multiplier(scale / f64::from(output.scale), largest as f64)?;
        tensors.bias.push(bias);
        tensors.mantissas.push(factor.mantissa);
        tensors.shifts.push(factor.shift);
    }
    Ok(tensors)
}

/// `bias − zero · Σ weights`, and the largest magnitude that a sum of it and any products has.
///
/// The products are of int8 inputs as they are, so that their partial sums, in any order, are
/// within `Σ |weight| · 128`.
fn folded(weights: &[i8], bias: f64, zero: i8, channel: usize) -> Result<(i32, i64), Refusal> {
    // A cast of a float saturates, far beyond int32.
    let bias = bias as i64;
    let sum: i64 = weights.iter().map(|&weight| i64::from(weight)).sum();
    let magnitude: i64 = weights.iter().map(|&weight| i64::from(weight).abs()).sum();
    let folded = bias.saturating_sub(i64::from(zero) * sum);
    let bound = folded.saturating_abs().saturating_add(magnitude * 128);
    match i32::try_from(folded) {
        Ok(folded) if bound <= i64::from(i32::MAX) => Ok((folded, bound)),
        _ => Err(Refusal::Overflow { channel, bound }),
    }
}

/// `[channel][tap]` as `[tap][channel]`.
fn channels_innermost(weights: &[i8], taps: usize) -> Vec<i8> {
    let channels = weights.len() / taps;
    let at = |at: usize| weights[at % channels * taps + at / channels];
    (0..weights.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zero_point_is_folded_into_the_bias() {
        assert_eq!(
            folded(&[1, -2, 4], 10.0, -5, 0).unwrap(),
            (25, 25 + 7 * 128)
        );
    }

    #[test]
    fn a_sum_that_might_overflow_is_refused_by_channel() {
        let limit = i64::from(i32::MAX) - 127 * 128;
        assert!(folded(&[127], limit as f64, 0, 3).is_ok());
        let refusal = folded(&[127], (limit + 1) as f64, 0, 3).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::Overflow {
                channel: 3,
                bound: i64::from(i32::MAX) + 1,
            }
        );
        assert!(folded(&[127], 1e300, 0, 0).is_err());
    }
}
