//! Depthwise convolution of floats: every output channel reads one input channel.

use super::conv2d::ConvReads;
use super::source::{Reads, Source};
use super::{unary::clip, window};
use crate::num::{Inside, Shape, Window};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use core::array;
use serde::{Deserialize, Serialize};

/// Channels whose sums one pass keeps in registers.
const LANES: usize = 16;

/// Parameters of a depthwise convolution. It reads the input, the weights
/// `[kernel row][kernel column][output channel]` and the bias.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthwiseF32 {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape; its channels are a multiple of the input's. Output channel `c` reads
    /// the input channel `c / multiple`.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Lower clamp of the output; −∞ is none.
    pub min: f32,
    /// Upper clamp of the output; ∞ is none.
    pub max: f32,
    /// Where the weights are.
    pub weights: Source,
    /// Where the bias is, if there is one.
    pub bias: Source,
}

impl DepthwiseF32 {
    /// Output channels that read one input channel.
    pub const fn multiplier(&self) -> usize {
        self.output.channels / self.input.channels
    }

    fn reads(&self) -> Reads {
        let [rows, columns] = self.window.kernel;
        let channels = self.output.channels;
        Reads::new(&[
            (Source::Operand, Extent::new(Element::F32, self.input.len())),
            (
                self.weights,
                Extent::new(Element::F32, rows * columns * channels),
            ),
            (self.bias, Extent::new(Element::F32, channels)),
        ])
    }
}

impl Operator for DepthwiseF32 {
    fn kind(&self) -> &'static str {
        "depthwise_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        window::check(self.input, self.output, &self.window)?;
        window::clamp(self.min, self.max)?;
        self.weights.needed()?;
        let (inputs, outputs) = (self.input.channels, self.output.channels);
        require(outputs.is_multiple_of(inputs), Fault::Shape)?;
        let [rows, columns] = self.window.kernel;
        checked_len(&[rows, columns, outputs]).map(drop)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.output.len())
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn macs(&self) -> usize {
        let [rows, columns] = self.window.kernel;
        self.output.len().saturating_mul(rows * columns)
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let reads = self.reads();
        let reads = ConvReads {
            input: reads.get(&args, 0),
            weights: reads.get(&args, 1),
            bias: reads.get(&args, 2),
        };
        (set.float.depthwise)(self, &reads, args.output(0));
    }
}

/// The portable kernel.
pub fn depthwise(params: &DepthwiseF32, reads: &ConvReads<'_>, output: &mut [f32]) {
    let Shape {
        width, channels, ..
    } = params.output;
    for (index, outputs) in output.chunks_exact_mut(channels).enumerate() {
        let pixel = Pixel {
            params,
            reads,
            rows: params.window.inside(0, index / width, params.input.height),
            columns: params.window.inside(1, index % width, params.input.width),
        };
        let first = pixel.blocks::<LANES>(0, outputs);
        let first = pixel.blocks::<4>(first, outputs);
        pixel.blocks::<1>(first, outputs);
    }
}

struct Pixel<'a> {
    params: &'a DepthwiseF32,
    reads: &'a ConvReads<'a>,
    rows: Inside,
    columns: Inside,
}

impl Pixel<'_> {
    /// Computes the channels from `first` in whole blocks of `N`; returns the channel after them.
    #[inline(always)]
    fn blocks<const N: usize>(&self, mut first: usize, outputs: &mut [f32]) -> usize {
        while let Some(outputs) = outputs.get_mut(first..first + N) {
            for (out, sum) in outputs.iter_mut().zip(self.sums::<N>(first)) {
                *out = clip(sum, self.params.min, self.params.max);
            }
            first += N;
        }
        first
    }

    #[inline(always)]
    fn sums<const N: usize>(&self, first: usize) -> [f32; N] {
        let DepthwiseF32 {
            input,
            output,
            window,
            ..
        } = *self.params;
        let multiplier = self.params.multiplier();
        let mut sums = self.reads.bias(first);
        for row in 0..self.rows.len() {
            let y = self.rows.origin + row * window.dilation[0];
            for column in 0..self.columns.len() {
                let x = self.columns.origin + column * window.dilation[1];
                let tap = (self.rows.start + row) * window.kernel[1] + self.columns.start + column;
                let weights = &self.reads.weights[tap * output.channels + first..][..N];
                let pixel = (y * input.width + x) * input.channels;
                let pixel = &self.reads.input[pixel..][..input.channels];
                let values: [f32; N] = if multiplier == 1 {
                    let values = &pixel[first..first + N];
                    array::from_fn(|channel| values[channel])
                } else {
                    array::from_fn(|channel| pixel[(first + channel) / multiplier])
                };
                for (sum, (value, weight)) in sums.iter_mut().zip(values.iter().zip(weights)) {
                    *sum += value * weight;
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;

    const DEPTHWISE: DepthwiseF32 = DepthwiseF32 {
        input: Shape {
            height: 6,
            width: 5,
            channels: 23,
        },
        output: Shape {
            height: 3,
            width: 5,
            channels: 23,
        },
        window: Window {
            kernel: [3, 3],
            stride: [2, 1],
            dilation: [1, 2],
            pad: [1, 2],
        },
        min: -1.5,
        max: f32::INFINITY,
        weights: Source::Constant,
        bias: Source::Constant,
    };

    fn check(params: &DepthwiseF32) {
        let Shape {
            width, channels, ..
        } = params.output;
        let input = noise(1, params.input.len());
        let (weights, bias) = (noise(2, 9 * channels), noise(3, channels));
        let got = run(
            params,
            &[floats(&input)],
            &[floats(&weights), floats(&bias)],
        );
        let expected = (0..params.output.len()).map(|index| {
            let (pixel, channel) = (index / channels, index % channels);
            let mut sum = f64::from(bias[channel]);
            for tap in 0..9 {
                let y = params
                    .window
                    .tap(0, pixel / width, tap / 3, params.input.height);
                let x = params
                    .window
                    .tap(1, pixel % width, tap % 3, params.input.width);
                if let (Some(y), Some(x)) = (y, x) {
                    let at = (y * params.input.width + x) * params.input.channels;
                    let value = input[at + channel / params.multiplier()];
                    sum += f64::from(value) * f64::from(weights[tap * channels + channel]);
                }
            }
            sum.max(f64::from(params.min))
        });
        close(&got[0], expected, 1e-5);
    }

    #[test]
    fn any_multiplier_is_within_1e_5() {
        check(&DEPTHWISE);
        let mut wide = DEPTHWISE;
        wide.output.channels *= 3;
        check(&wide);
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[DEPTHWISE]);
    }
}
