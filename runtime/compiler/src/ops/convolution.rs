//! Convolution: dense, grouped or depthwise; with a 1×1 window also a dense layer.
//!
//! Integer: folded biases, multipliers, and the proof that no sum overflows.

use super::factor::multiplier;
use super::{Edges, GraphOp, Kernel, Op, Pulsed};
use crate::error::Refusal;
use crate::graph::Quantization;
use crate::pulse::Stream;
use microtome_kernels::float::conv2d::ConvF32;
use microtome_kernels::float::depthwise::DepthwiseF32;
use microtome_kernels::float::source::Source;
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::{conv2d::Conv2d, depthwise::Depthwise};

/// Parameters and constants of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Groups.
    pub groups: usize,
    /// The weights.
    pub weights: Weights,
    /// Bias of each output channel, as a real number.
    pub bias: Vec<f64>,
}

/// Weights, `[output channel][kernel row][kernel column][input channel of the group]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// Symmetric int8, with the scale of each output channel.
    Quantized {
        /// The integers.
        values: Vec<i8>,
        /// One an output channel.
        scales: Vec<f32>,
    },
    /// Real numbers.
    Float(Vec<f32>),
}

impl Weights {
    /// The weights as real numbers, of `taps` an output channel.
    pub fn reals(&self, taps: usize) -> Vec<f32> {
        match self {
            Self::Float(values) => values.clone(),
            Self::Quantized { values, scales } => values
                .chunks_exact(taps)
                .zip(scales)
                .flat_map(|(channel, &scale)| channel.iter().map(move |&it| f32::from(it) * scale))
                .collect(),
        }
    }
}

impl Convolution {
    /// Weights of one output channel.
    pub const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * (self.input.channels / self.groups)
    }

    /// Whether every output channel reads one input channel, of several.
    pub const fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input.channels
    }
}

impl GraphOp for Convolution {
    fn is_of_reals(&self) -> bool {
        true
    }

    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let Weights::Quantized { values, scales } = &self.weights else {
            return Err(Refusal::WeightsNotQuantized {
                value: edges.output_edge().name.clone(),
            });
        };
        let tensors = self.tensors(values, scales, edges.input(0)?, edges.output()?)?;
        let (input_zero, store) = (edges.input(0)?.zero, edges.store()?);
        if self.is_depthwise() {
            let params = Depthwise {
                input: self.input,
                output: self.output,
                window: self.window,
                input_zero,
                store,
                scratch: 0,
            };
            let weights = channels_innermost(values, self.taps());
            return Ok(Kernel::new(params, edges).with(tensors.constants(&weights)));
        }
        let params = Conv2d {
            input: self.input,
            output: self.output,
            window: self.window,
            groups: self.groups,
            input_zero,
            store,
            packing: Packing::ROWS,
            scratch: 0,
        };
        Ok(Kernel::new(params, edges).with(tensors.constants(values)))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (min, max) = edges.float_bounds();
        let weights = self.weights.reals(self.taps());
        let bias: Vec<f32> = self.bias.iter().map(|&it| it as f32).collect();
        let (input, output, window) = (self.input, self.output, self.window);
        if self.is_depthwise() {
            let params = DepthwiseF32 {
                input,
                output,
                window,
                min,
                max,
                weights: Source::Constant,
                bias: Source::Constant,
            };
            let weights = channels_innermost(&weights, self.taps());
            return Ok(Kernel::new(params, edges).with(vec![bytes(&weights), bytes(&bias)]));
        }
        let params = ConvF32 {
            input,
            output,
            window,
            groups: self.groups,
            min,
            max,
            weights: Source::Constant,
            packing: Packing::ROWS,
            bias: Source::Constant,
        };
        Ok(Kernel::new(params, edges).with(vec![bytes(&weights), bytes(&bias)]))
    }

    fn takes_float_bounds(&self) -> bool {
        true
    }

    fn pulse(&self, _edges: &Edges<'_>, stream: &Stream) -> Pulsed {
        let op = |input, window| {
            Op::from(Self {
                input,
                window,
                ..self.clone()
            })
        };
        stream.window(self.input, self.output, self.window, 0.0, op)
    }

    fn has_integer(&self, _edges: &Edges<'_>) -> bool {
        matches!(self.weights, Weights::Quantized { .. })
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}

/// What each output channel has besides weights.
#[derive(Debug, Default)]
pub(super) struct Tensors {
    bias: Vec<i32>,
    mantissas: Vec<i32>,
    shifts: Vec<i8>,
}

impl Tensors {
    /// Adds a channel: its weights, its bias in steps of its sums, the input's zero point, and what
    /// scales its sums.
    pub(super) fn push(
        &mut self,
        weights: &[i8],
        bias: f64,
        zero: i8,
        factor: f64,
    ) -> Result<(), Refusal> {
        let channel = self.bias.len();
        let (bias, largest) = folded(weights, bias.round_ties_even(), zero, channel)?;
        let factor = multiplier(factor, largest as f64)?;
        self.bias.push(bias);
        self.mantissas.push(factor.mantissa);
        self.shifts.push(factor.shift);
        Ok(())
    }

    /// In the kernels' order.
    pub(super) fn constants(&self, weights: &[i8]) -> Vec<Vec<u8>> {
        vec![
            bytemuck::cast_slice(weights).to_vec(),
            bytemuck::cast_slice(&self.bias).to_vec(),
            bytemuck::cast_slice(&self.mantissas).to_vec(),
            bytemuck::cast_slice(&self.shifts).to_vec(),
        ]
    }
}

impl Convolution {
    fn tensors(
        &self,
        values: &[i8],
        scales: &[f32],
        input: Quantization,
        output: Quantization,
    ) -> Result<Tensors, Refusal> {
        let mut tensors = Tensors::default();
        for (channel, weights) in values.chunks_exact(self.taps()).enumerate() {
            let scale = f64::from(input.scale) * f64::from(scales[channel]);
            let factor = scale / f64::from(output.scale);
            tensors.push(weights, self.bias[channel] / scale, input.zero, factor)?;
        }
        Ok(tensors)
    }
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

fn bytes(values: &[f32]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

/// `[channel][tap]` as `[tap][channel]`.
fn channels_innermost<T: Copy>(weights: &[T], taps: usize) -> Vec<T> {
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
