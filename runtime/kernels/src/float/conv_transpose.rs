//! Transposed convolution of floats, with groups: each input adds to a window of outputs.
//!
//! Computed from the output's side, so that no sum is in memory; neighbouring outputs at the
//! stride's distance read the same taps.

use super::conv2d::ConvReads;
use super::source::{Reads, Source};
use super::tile::{COLUMNS, ROWS, Row, accumulate, pack};
use super::{unary::clip, window};
use crate::num::{Shape, Window};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use core::array;
use serde::{Deserialize, Serialize};

/// Parameters of a transposed convolution. Tap `t` of input `i` adds to the output
/// `i · stride + t · dilation − pad`. It reads the input, the weights
/// `[output channel][kernel row][kernel column][input channel of the group]` and the bias.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvTransposeF32 {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window, which slides over the output.
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

impl ConvTransposeF32 {
    const fn depth(&self) -> usize {
        self.input.channels / self.groups
    }

    const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.depth()
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

    /// The input row (axis 0) or column (axis 1) whose tap `tap` adds to the output `out`.
    fn origin(&self, axis: usize, out: usize, tap: usize) -> Option<usize> {
        let Window {
            stride,
            dilation,
            pad,
            ..
        } = self.window;
        let extent = [self.input.height, self.input.width][axis];
        let steps = (out + pad[axis]).checked_sub(tap * dilation[axis])?;
        let origin = steps / stride[axis];
        (steps.is_multiple_of(stride[axis]) && origin < extent).then_some(origin)
    }
}

impl Operator for ConvTransposeF32 {
    fn kind(&self) -> &'static str {
        "conv_transpose_f32"
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
        checked_len(&[rows, columns, self.depth(), outputs]).map(drop)
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
        self.taps().saturating_mul(size_of::<Row>())
    }

    fn macs(&self) -> usize {
        // The taps of the kernel are tried for every output, though only some have an input.
        self.output.len().saturating_mul(self.taps())
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let reads = self.reads();
        let reads = ConvReads {
            input: reads.get(&args, 0),
            weights: reads.get(&args, 1),
            bias: reads.get(&args, 2),
        };
        let scratch = bytemuck::cast_slice_mut(core::mem::take(&mut args.scratch));
        conv_transpose(self, &reads, scratch, args.output(0));
    }
}

fn conv_transpose(
    params: &ConvTransposeF32,
    reads: &ConvReads<'_>,
    scratch: &mut [f32],
    output: &mut [f32],
) {
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
                depth_first: group * params.depth(),
                bias: reads.bias(first),
                channels: [first, count],
            };
            block.run(output);
        }
    }
}

/// The output channels of one panel.
struct Block<'a> {
    params: &'a ConvTransposeF32,
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
        let stride = self.params.window.stride[1];
        for (y, line) in output.chunks_exact_mut(width * channels).enumerate() {
            for phase in 0..stride.min(width) {
                let mut x = phase;
                while x < width {
                    if self.are_alike(x) {
                        self.store(self.sums::<ROWS>(y, x), x, line);
                        x += ROWS * stride;
                    } else {
                        self.store(self.sums::<1>(y, x), x, line);
                        x += stride;
                    }
                }
            }
        }
    }

    /// Whether [`ROWS`] outputs from column `x` on, at the stride's distance, exist and have the
    /// same taps.
    fn are_alike(&self, x: usize) -> bool {
        let params = self.params;
        let column = |pixel: usize| x + pixel * params.window.stride[1];
        let same = |tap: usize| {
            let has = |pixel| params.origin(1, column(pixel), tap).is_some();
            (1..ROWS).all(|pixel| has(pixel) == has(0))
        };
        column(ROWS - 1) < params.output.width && (0..params.window.kernel[1]).all(same)
    }

    #[inline(always)]
    fn sums<const R: usize>(&self, y: usize, x: usize) -> [Row; R] {
        let params = self.params;
        let (depth, channels) = (params.depth(), params.input.channels);
        let [rows, columns] = params.window.kernel;
        let mut sums = [self.bias; R];
        for row in 0..rows {
            let Some(y) = params.origin(0, y, row) else {
                continue;
            };
            for column in 0..columns {
                let Some(x) = params.origin(1, x, column) else {
                    continue;
                };
                let at = (y * params.input.width + x) * channels + self.depth_first;
                let a = array::from_fn(|pixel| &self.input[at + pixel * channels..][..depth]);
                let panel = &self.panel[(row * columns + column) * depth..][..depth];
                sums = accumulate(sums, a, panel);
            }
        }
        sums
    }

    fn store<const R: usize>(&self, sums: [Row; R], x: usize, line: &mut [f32]) {
        let [first, count] = self.channels;
        let (step, channels) = (self.params.window.stride[1], self.params.output.channels);
        for (pixel, sums) in sums.iter().enumerate() {
            let at = (x + pixel * step) * channels + first;
            for (out, &sum) in line[at..at + count].iter_mut().zip(sums) {
                *out = clip(sum, self.params.min, self.params.max);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;
    extern crate std;
    use std::vec;

    fn params(
        stride: [usize; 2],
        dilation: [usize; 2],
        pad: [usize; 2],
        groups: usize,
    ) -> ConvTransposeF32 {
        let kernel = [3, 2];
        let input = Shape {
            height: 3,
            width: 7,
            channels: 4,
        };
        let outputs = |extent: usize, axis: usize| {
            (extent - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1 - pad[axis]
        };
        ConvTransposeF32 {
            input,
            output: Shape {
                height: outputs(3, 0),
                width: outputs(7, 1),
                channels: 10,
            },
            window: Window {
                kernel,
                stride,
                dilation,
                pad,
            },
            groups,
            min: f32::NEG_INFINITY,
            max: f32::INFINITY,
            weights: Source::Constant,
            bias: Source::None,
        }
    }

    /// As the operator is defined: every input adds to its window.
    fn check(params: &ConvTransposeF32) {
        let (input, weights) = (noise(1, params.input.len()), noise(2, 10 * params.taps()));
        let mut expected = vec![0.0; params.output.len()];
        let Window {
            stride,
            dilation,
            pad,
            ..
        } = params.window;
        for (index, &value) in input.iter().enumerate() {
            let (pixel, channel) = (index / 4, index % 4);
            let (row, column) = (pixel / 7, pixel % 7);
            let group = channel / params.depth();
            for tap in 0..6 {
                let y = (row * stride[0] + tap / 2 * dilation[0]).wrapping_sub(pad[0]);
                let x = (column * stride[1] + tap % 2 * dilation[1]).wrapping_sub(pad[1]);
                if y >= params.output.height || x >= params.output.width {
                    continue;
                }
                for out in group * 10 / params.groups..(group + 1) * 10 / params.groups {
                    let weight =
                        weights[(out * 6 + tap) * params.depth() + channel % params.depth()];
                    let at = (y * params.output.width + x) * 10 + out;
                    expected[at] += f64::from(value) * f64::from(weight);
                }
            }
        }
        let got = run(params, &[floats(&input)], &[floats(&weights)]);
        close(&got[0], expected, 1e-5);
    }

    #[test]
    fn any_window_and_group_is_within_1e_5() {
        check(&params([1, 1], [1, 1], [0, 0], 1));
        check(&params([2, 2], [1, 1], [1, 0], 1));
        check(&params([2, 3], [1, 2], [0, 1], 2));
        check(&params([1, 1], [2, 3], [2, 2], 2));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[
            params([2, 3], [1, 2], [0, 1], 2),
            params([1, 1], [2, 3], [2, 2], 1),
        ]);
    }
}
