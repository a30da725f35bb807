//! Convolution of floats, with groups; a 1-D one is over rows of width 1.
//!
//! The weights of a few output channels at a time are packed into a panel, tap by tap; the panel is
//! multiplied with the channels of a few neighbouring pixels at a time. With fewer pixels than that
//! (a dense layer), packing would cost as much as the products, and dot products take its place.

use super::source::{Reads, Source};
use super::tile::{COLUMNS, ROWS, Row, accumulate, dots, pack};
use super::{unary::clip, window};
use crate::num::{Inside, Shape, Window};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use core::array;
use serde::{Deserialize, Serialize};

/// Parameters of a convolution. It reads the input, the weights
/// `[output channel][kernel row][kernel column][input channel of the group]` and the bias.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvF32 {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Groups; both channel counts are multiples of it.
    pub groups: usize,
    /// Lower clamp of the output; −∞ is none.
    pub min: f32,
    /// Upper clamp of the output; ∞ is none.
    pub max: f32,
    /// Where the weights are.
    pub weights: Source,
    /// Where the bias is, if there is one.
    pub bias: Source,
}

/// What a convolution reads.
#[derive(Clone, Copy, Debug)]
pub struct ConvReads<'a> {
    /// The input, HWC.
    pub input: &'a [f32],
    /// The weights, in the operator's layout.
    pub weights: &'a [f32],
    /// One element an output channel; empty where there is no bias.
    pub bias: &'a [f32],
}

impl ConvReads<'_> {
    /// The sums with which output channels begin, from `first` on.
    pub(super) fn bias<const N: usize>(&self, first: usize) -> [f32; N] {
        array::from_fn(|channel| self.bias.get(first + channel).copied().unwrap_or(0.0))
    }
}

impl ConvF32 {
    /// Input channels that one output channel reads.
    pub const fn group_channels(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Taps of one output channel, which is also its number of weights.
    pub const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.group_channels()
    }

    fn reads(&self) -> Reads {
        let channels = self.output.channels;
        Reads::new(&[
            (Source::Operand, Extent::new(Element::F32, self.input.len())),
            (
                self.weights,
                Extent::new(Element::F32, channels * self.taps()),
            ),
            (self.bias, Extent::new(Element::F32, channels)),
        ])
    }

    /// Whether there are pixels enough for packed weights.
    const fn packs(&self) -> bool {
        self.output.height * self.output.width >= ROWS
    }
}

impl Operator for ConvF32 {
    fn kind(&self) -> &'static str {
        "conv2d_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        window::check(self.input, self.output, &self.window)?;
        window::clamp(self.min, self.max)?;
        self.weights.needed()?;
        let (inputs, outputs) = (self.input.channels, self.output.channels);
        let grouped = self.groups > 0
            && inputs.is_multiple_of(self.groups)
            && outputs.is_multiple_of(self.groups);
        require(grouped, Fault::Shape)?;
        let [rows, columns] = self.window.kernel;
        checked_len(&[rows, columns, self.group_channels(), outputs]).map(drop)
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

    fn scratch_bytes(&self) -> usize {
        if self.packs() {
            self.taps().saturating_mul(size_of::<Row>())
        } else {
            0
        }
    }

    fn macs(&self) -> usize {
        self.output.len().saturating_mul(self.taps())
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
        let scratch = bytemuck::cast_slice_mut(core::mem::take(&mut args.scratch));
        (set.conv2d_f32)(self, &reads, scratch, args.output(0));
    }
}

/// The portable kernel.
pub fn conv2d(params: &ConvF32, reads: &ConvReads<'_>, scratch: &mut [f32], output: &mut [f32]) {
    if !params.packs() {
        return by_dots(params, reads, output);
    }
    let taps = params.taps();
    let panel = &mut scratch.as_chunks_mut::<COLUMNS>().0[..taps];
    let channels = params.output.channels / params.groups;
    for group in 0..params.groups {
        for first in (group * channels..(group + 1) * channels).step_by(COLUMNS) {
            let count = ((group + 1) * channels - first).min(COLUMNS);
            let weights = &reads.weights[first * taps..][..count * taps];
            pack(panel, weights.chunks_exact(taps));
            let block = Block {
                params,
                input: reads.input,
                panel,
                depth_first: group * params.group_channels(),
                bias: reads.bias(first),
                channels: [first, count],
            };
            block.run(output);
        }
    }
}

/// The output channels of one panel.
struct Block<'a> {
    params: &'a ConvF32,
    input: &'a [f32],
    panel: &'a [Row],
    /// First input channel of the group.
    depth_first: usize,
    bias: Row,
    /// First output channel, and how many.
    channels: [usize; 2],
}

impl Block<'_> {
    fn run(&self, output: &mut [f32]) {
        let Shape {
            width, channels, ..
        } = self.params.output;
        let (extent, window) = (self.params.input, self.params.window);
        for (y, line) in output.chunks_exact_mut(width * channels).enumerate() {
            let rows = window.inside(0, y, extent.height);
            let mut x = 0;
            while x < width {
                let columns = window.inside(1, x, extent.width);
                let pixels = &mut line[x * channels..];
                let last = window.inside(1, x + ROWS - 1, extent.width);
                // Taps lost on the left are fewer further right; on the right, more.
                let whole = columns.start == 0 && last.end == window.kernel[1];
                if whole && x + ROWS <= width {
                    self.store(self.sums::<ROWS>(rows, columns), pixels);
                    x += ROWS;
                } else {
                    self.store(self.sums::<1>(rows, columns), pixels);
                    x += 1;
                }
            }
        }
    }

    /// The sums of `R` neighbouring pixels, the first of which has the taps `columns`.
    #[inline(always)]
    fn sums<const R: usize>(&self, rows: Inside, columns: Inside) -> [Row; R] {
        let ConvF32 { input, window, .. } = *self.params;
        let depth = self.params.group_channels();
        // Taps that are neighbours in both input and panel are one run.
        let dense = window.dilation[1] == 1 && self.params.groups == 1;
        let taps = if dense { columns.len() } else { 1 };
        let mut sums = [self.bias; R];
        for row in 0..rows.len() {
            let y = rows.origin + row * window.dilation[0];
            let tap = (rows.start + row) * window.kernel[1] + columns.start;
            for column in (0..columns.len()).step_by(taps.max(1)) {
                let x = columns.origin + column * window.dilation[1];
                let at = (y * input.width + x) * input.channels + self.depth_first;
                let step = window.stride[1] * input.channels;
                let run = taps * depth;
                let a = array::from_fn(|pixel| &self.input[at + pixel * step..][..run]);
                let panel = &self.panel[(tap + column) * depth..][..run];
                sums = accumulate(sums, a, panel);
            }
        }
        sums
    }

    #[inline(always)]
    fn store<const R: usize>(&self, sums: [Row; R], pixels: &mut [f32]) {
        let [first, count] = self.channels;
        let pixels = pixels.chunks_mut(self.params.output.channels);
        for (sums, pixel) in sums.iter().zip(pixels) {
            for (out, &sum) in pixel[first..first + count].iter_mut().zip(sums) {
                *out = clip(sum, self.params.min, self.params.max);
            }
        }
    }
}

/// Few pixels: weights are read where they lie.
fn by_dots(params: &ConvF32, reads: &ConvReads<'_>, output: &mut [f32]) {
    let Shape {
        width, channels, ..
    } = params.output;
    let group_outputs = channels / params.groups;
    for (index, pixel) in output.chunks_exact_mut(channels).enumerate() {
        let rows = params.window.inside(0, index / width, params.input.height);
        let columns = params.window.inside(1, index % width, params.input.width);
        for (first, outs) in (0..)
            .step_by(group_outputs)
            .zip(pixel.chunks_mut(group_outputs))
        {
            for (channel, out) in (first..).zip(outs) {
                let sum = dot(params, reads, channel, [rows, columns]);
                *out = clip(sum, params.min, params.max);
            }
        }
    }
}

fn dot(params: &ConvF32, reads: &ConvReads<'_>, channel: usize, taps: [Inside; 2]) -> f32 {
    let ConvF32 { input, window, .. } = *params;
    let [rows, columns] = taps;
    let depth = params.group_channels();
    let group = channel / (params.output.channels / params.groups);
    let dense = window.dilation[1] == 1 && params.groups == 1;
    let run = if dense { columns.len() } else { 1 };
    let [mut sum] = reads.bias(channel);
    for row in 0..rows.len() {
        let y = rows.origin + row * window.dilation[0];
        let tap = (rows.start + row) * window.kernel[1] + columns.start;
        for column in (0..columns.len()).step_by(run.max(1)) {
            let x = columns.origin + column * window.dilation[1];
            let at = (y * input.width + x) * input.channels + group * depth;
            let weights = &reads.weights[channel * params.taps() + (tap + column) * depth..];
            sum += dots(&reads.input[at..at + run * depth], [weights])[0];
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec::Vec;

    const CONV: ConvF32 = ConvF32 {
        input: Shape {
            height: 7,
            width: 9,
            channels: 6,
        },
        output: Shape {
            height: 4,
            width: 8,
            channels: 10,
        },
        window: Window {
            kernel: [3, 2],
            stride: [2, 1],
            dilation: [1, 1],
            pad: [1, 0],
        },
        groups: 1,
        min: f32::NEG_INFINITY,
        max: f32::INFINITY,
        weights: Source::Constant,
        bias: Source::Constant,
    };

    fn naive(params: &ConvF32, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
        let Shape {
            width, channels, ..
        } = params.output;
        let depth = params.group_channels();
        let element = |index: usize| {
            let (pixel, channel) = (index / channels, index % channels);
            let first = channel / (channels / params.groups) * depth;
            let mut sum = bias.get(channel).map_or(0.0, |&bias| f64::from(bias));
            for tap in 0..params.taps() {
                let (row, column) = (tap / depth / params.window.kernel[1], tap / depth);
                let column = column % params.window.kernel[1];
                let y = params
                    .window
                    .tap(0, pixel / width, row, params.input.height);
                let x = params
                    .window
                    .tap(1, pixel % width, column, params.input.width);
                if let (Some(y), Some(x)) = (y, x) {
                    let at = (y * params.input.width + x) * params.input.channels;
                    let value = input[at + first + tap % depth];
                    let weight = weights[channel * params.taps() + tap];
                    sum += f64::from(value) * f64::from(weight);
                }
            }
            sum.clamp(f64::from(params.min), f64::from(params.max))
        };
        (0..params.output.len()).map(element).collect()
    }

    /// A convolution with other axes: rows, then columns.
    fn with(
        kernel: [usize; 2],
        stride: [usize; 2],
        dilation: [usize; 2],
        groups: usize,
    ) -> ConvF32 {
        let pad = [1, 2];
        let outputs = |extent: usize, axis: usize| {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1;
            (extent + 2 * pad[axis] - reach) / stride[axis] + 1
        };
        ConvF32 {
            output: Shape {
                height: outputs(CONV.input.height, 0),
                width: outputs(CONV.input.width, 1),
                channels: 10,
            },
            window: Window {
                kernel,
                stride,
                dilation,
                pad,
            },
            groups,
            ..CONV
        }
    }

    #[test]
    fn any_window_and_group_is_within_1e_5() {
        let dense_layer = ConvF32 {
            input: Shape {
                height: 1,
                width: 3,
                channels: 21,
            },
            output: Shape {
                height: 1,
                width: 2,
                channels: 10,
            },
            window: Window {
                kernel: [1, 2],
                stride: [1, 1],
                dilation: [1, 1],
                pad: [0, 0],
            },
            ..CONV
        };
        let cases = [
            CONV,
            dense_layer,
            with([1, 1], [1, 1], [1, 1], 1),
            with([3, 3], [1, 1], [1, 1], 1),
            with([3, 3], [2, 2], [1, 2], 2),
            with([2, 5], [1, 3], [2, 1], 2),
            with([1, 1], [3, 2], [1, 1], 1),
        ];
        for mut params in cases {
            let input = noise(1, params.input.len());
            let weights = noise(2, params.output.channels * params.taps());
            let bias = noise(3, params.output.channels);
            let constants = [floats(&weights), floats(&bias)];
            let got = run(&params, &[floats(&input)], &constants);
            close(&got[0], naive(&params, &input, &weights, &bias), 1e-5);
            (params.min, params.max) = (0.0, 6.0);
            (params.weights, params.bias) = (Source::Operand, Source::None);
            let got = run(&params, &[floats(&input), floats(&weights)], &[]);
            close(&got[0], naive(&params, &input, &weights, &[]), 1e-5);
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[CONV, with([2, 5], [1, 3], [2, 1], 2)]);
    }
}
