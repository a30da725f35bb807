//! Convolution: dot products over contiguous runs of channels, several output channels at a time
//! so that each input is loaded once for all of them.

use crate::num::Inside;
use crate::packing::Packing;
use crate::reference::{
    self,
    conv2d::{Conv2d, ConvConstants},
};
use core::array;
use core::ops::Range;

/// Output channels of one pass over the input.
const BLOCK: usize = 4;

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    if params.packing != Packing::ROWS {
        return reference::conv2d::conv2d(params, constants, input, scratch, output);
    }
    if is_pointwise(params) {
        return pointwise(params, constants, input, output);
    }
    let (width, channels) = (params.output.width, params.output.channels);
    for (y, outputs) in output.chunks_exact_mut(width * channels).enumerate() {
        let rows = params.window.inside(0, y, params.input.height);
        for (x, outputs) in outputs.chunks_exact_mut(channels).enumerate() {
            let patch = Patch {
                params,
                input,
                rows,
                columns: params.window.inside(1, x, params.input.width),
            };
            patch.convolve(constants, outputs);
        }
    }
}

/// Whether each output pixel reads just the input pixel at its own place, and all of it.
fn is_pointwise(params: &Conv2d) -> bool {
    let window = &params.window;
    window.kernel == [1, 1] && window.stride == [1, 1] && params.groups == 1
}

fn pointwise(params: &Conv2d, constants: &ConvConstants<'_>, input: &[i8], output: &mut [i8]) {
    let (depth, channels) = (params.input.channels, params.output.channels);
    let width = params.output.width;
    for (index, outputs) in output.chunks_exact_mut(channels).enumerate() {
        // The output may be narrower than the input.
        let pixel = index / width * params.input.width + index % width;
        let input = &input[pixel * depth..][..depth];
        for_blocks(
            constants.weights,
            depth,
            0..channels,
            |first, block| match block {
                Block::Whole(weights) => {
                    store(params, constants, first, dots(input, weights), outputs);
                }
                Block::Single(weights) => {
                    store(params, constants, first, dots(input, [weights]), outputs);
                }
            },
        );
    }
}

/// Weights of neighbouring output channels.
enum Block<'a> {
    Whole([&'a [i8]; BLOCK]),
    Single(&'a [i8]),
}

/// Gives `each` the weights of all of `channels` with the first channel that they are for.
fn for_blocks<'a>(
    weights: &'a [i8],
    taps: usize,
    channels: Range<usize>,
    mut each: impl FnMut(usize, Block<'a>),
) {
    let mut rest = &weights[channels.start * taps..channels.end * taps];
    let mut first = channels.start;
    while let Some((block, tail)) = rest.split_at_checked(BLOCK * taps) {
        let weights = array::from_fn(|channel| &block[channel * taps..][..taps]);
        each(first, Block::Whole(weights));
        (rest, first) = (tail, first + BLOCK);
    }
    for weights in rest.chunks_exact(taps) {
        each(first, Block::Single(weights));
        first += 1;
    }
}

/// The dot products of `input` with each of `weights`, which are not shorter.
pub(super) fn dots<const N: usize>(input: &[i8], weights: [&[i8]; N]) -> [i32; N] {
    let weights = weights.map(|weights| &weights[..input.len()]);
    let mut sums = [0; N];
    for (index, &x) in input.iter().enumerate() {
        for (sum, weights) in sums.iter_mut().zip(&weights) {
            *sum += i32::from(x) * i32::from(weights[index]);
        }
    }
    sums
}

fn store<const N: usize>(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    first: usize,
    sums: [i32; N],
    outputs: &mut [i8],
) {
    let outputs = &mut outputs[first..first + N];
    for ((channel, out), sum) in (first..).zip(outputs).zip(sums) {
        *out = constants.output(channel, sum, params.store);
    }
}

/// What one output pixel reads.
struct Patch<'a> {
    params: &'a Conv2d,
    input: &'a [i8],
    rows: Inside,
    columns: Inside,
}

impl Patch<'_> {
    fn convolve(&self, constants: &ConvConstants<'_>, outputs: &mut [i8]) {
        let params = self.params;
        let channels = params.output.channels / params.groups;
        for group in 0..params.groups {
            let range = group * channels..(group + 1) * channels;
            for_blocks(
                constants.weights,
                params.taps(),
                range,
                |first, block| match block {
                    Block::Whole(weights) => {
                        let sums = self.sums(group, weights);
                        store(params, constants, first, sums, outputs);
                    }
                    Block::Single(weights) => {
                        let sums = self.sums(group, [weights]);
                        store(params, constants, first, sums, outputs);
                    }
                },
            );
        }
    }

    fn sums<const N: usize>(&self, group: usize, weights: [&[i8]; N]) -> [i32; N] {
        let mut sums = self.padding(weights);
        let Conv2d { input, window, .. } = self.params;
        let depth = self.params.group_channels();
        // Taps that are neighbours in both input and weights are one run.
        let dense = window.dilation[1] == 1 && self.params.groups == 1;
        let taps = if dense { self.columns.len() } else { 1 };
        for row in 0..self.rows.len() {
            let y = self.rows.origin + row * window.dilation[0];
            let line = (self.rows.start + row) * window.kernel[1] + self.columns.start;
            for column in (0..self.columns.len()).step_by(taps) {
                let x = self.columns.origin + column * window.dilation[1];
                let at = (y * input.width + x) * input.channels + group * depth;
                let run = &self.input[at..at + taps * depth];
                let weights = weights.map(|weights| &weights[(line + column) * depth..]);
                let partial = dots(run, weights);
                for (sum, partial) in sums.iter_mut().zip(partial) {
                    *sum += partial;
                }
            }
        }
        sums
    }

    /// What the taps outside of the input, all of which read its zero point, add to the sums.
    fn padding<const N: usize>(&self, weights: [&[i8]; N]) -> [i32; N] {
        let [kernel_rows, kernel_columns] = self.params.window.kernel;
        if self.rows.len() == kernel_rows && self.columns.len() == kernel_columns {
            return [0; N];
        }
        let depth = self.params.group_channels();
        let zero = i32::from(self.params.input_zero);
        weights.map(|weights| {
            let mut sum = 0;
            for (row, line) in weights.chunks_exact(kernel_columns * depth).enumerate() {
                let inside = self.rows.start <= row && row < self.rows.end;
                let (left, right) = if inside {
                    (
                        &line[..self.columns.start * depth],
                        &line[self.columns.end * depth..],
                    )
                } else {
                    (line, &[][..])
                };
                sum += left.iter().chain(right).map(|&w| i32::from(w)).sum::<i32>();
            }
            zero * sum
        })
    }
}
