//! Convolution of floats, with groups; a 1-D one is over rows of width 1.
//!
//! Weights in panels are multiplied with the pixels' patches. A patch that lies within the input is
//! read there, as one run a kernel row; others are collected, a few hundred at a time, with zeros
//! for what is outside. Weights that do not lie in panels are packed first, a few panels at a time.
//! With fewer pixels than that is worth (a dense layer), dot products take its place.

use super::source::{Reads, Source};
use super::tile::{
    COLUMNS, PANELS, Panels, Product, ROWS, Row, Rows, Store, collected, dots, pack_column,
};
use super::{unary::clip, window};
use crate::arch::patch::collect;
use crate::num::{Inside, Shape, Window};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::packing::Packing;
use crate::set::KernelSet;
use core::array;
use core::ops::Range;
use serde::{Deserialize, Serialize};

/// Neighbouring pixels that are worth multiplying where they lie.
const IN_PLACE: usize = 24;

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
    /// How the weights lie: [`Packing::ROWS`], or in [`ConvF32::PANELS`] where they are constant
    /// and there are no groups.
    pub packing: Packing,
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

impl<'a> ConvReads<'a> {
    /// The sums with which output channels begin, from `first` on.
    #[inline(always)]
    pub(super) fn bias<const N: usize>(&self, first: usize) -> [f32; N] {
        array::from_fn(|channel| self.bias.get(first + channel).copied().unwrap_or(0.0))
    }

    /// The biases of `count` channels from `first` on; empty where there are none.
    pub(super) fn biases(&self, first: usize, count: usize) -> &'a [f32] {
        self.bias.get(first..first + count).unwrap_or(&[])
    }
}

impl ConvF32 {
    /// Weights as products read them.
    pub const PANELS: Packing = Packing::new(COLUMNS as u8, 1);

    /// Input channels that one output channel reads.
    pub const fn group_channels(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Taps of one output channel, which is also its number of weights.
    pub const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.group_channels()
    }

    /// Whether the weights may lie in panels.
    pub fn may_be_packed(&self) -> bool {
        self.groups == 1 && self.weights == Source::Constant
    }

    fn reads(&self) -> Reads {
        let channels = self.output.channels;
        let weights = self.packing.len(channels, self.taps());
        Reads::new(&[
            (Source::Operand, Extent::new(Element::F32, self.input.len())),
            (self.weights, Extent::new(Element::F32, weights)),
            (self.bias, Extent::new(Element::F32, channels)),
        ])
    }

    const fn pixels(&self) -> usize {
        self.output.height * self.output.width
    }

    fn is_packed(&self) -> bool {
        self.packing == Self::PANELS
    }

    /// Rows of all panels that are packed at a time.
    fn packed_rows(&self) -> usize {
        if self.is_packed() || self.pixels() < ROWS {
            return 0;
        }
        let panels = (self.output.channels / self.groups).div_ceil(COLUMNS);
        panels.min(PANELS).saturating_mul(self.taps())
    }

    /// Whether each pixel reads the input pixel at its own place, and no other.
    fn is_pointwise(&self) -> bool {
        let Window {
            kernel,
            stride,
            pad,
            ..
        } = self.window;
        let same = self.input.width == self.output.width && self.output.height <= self.input.height;
        [kernel, stride, pad] == [[1, 1], [1, 1], [0, 0]] && same
    }

    /// Elements of a patch, of all groups.
    const fn patch_len(&self) -> usize {
        self.taps() * self.groups
    }

    /// Patches that are collected at a time.
    fn patches(&self) -> usize {
        if self.is_pointwise() || !self.is_packed() && self.pixels() < ROWS {
            0
        } else {
            collected(self.patch_len(), self.pixels())
        }
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
        let known = self.packing == Packing::ROWS || self.is_packed() && self.may_be_packed();
        require(known, Fault::Number)?;
        let [rows, columns] = self.window.kernel;
        checked_len(&[rows, columns, self.group_channels(), outputs])?;
        self.packing.check(outputs, self.taps())
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
        let packed = self.packed_rows().saturating_mul(size_of::<Row>());
        let patches = self.patches().saturating_mul(self.patch_len());
        packed.saturating_add(patches.saturating_mul(size_of::<f32>()))
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
        conv2d(self, &reads, set.float.product, scratch, args.output(0));
    }
}

fn conv2d(
    params: &ConvF32,
    reads: &ConvReads<'_>,
    product: Product,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let taps = params.taps();
    let layer = Layer {
        params,
        input: reads.input,
        product,
    };
    if params.is_packed() {
        let panels = Panels {
            values: reads.weights.as_chunks().0,
            columns: params.output.channels,
            bias: reads.bias,
        };
        return layer.multiply(&panels, 0, scratch, output);
    }
    if params.pixels() < ROWS {
        return by_dots(params, reads, output);
    }
    let (room, patches) = scratch.split_at_mut(params.packed_rows() * COLUMNS);
    let room = room.as_chunks_mut().0;
    let channels = params.output.channels / params.groups;
    for group in 0..params.groups {
        for first in (0..channels).step_by(PANELS * COLUMNS) {
            let count = (channels - first).min(PANELS * COLUMNS);
            let first = group * channels + first;
            let weights = &reads.weights[first * taps..][..count * taps];
            for (column, weights) in weights.chunks_exact(taps).enumerate() {
                pack_column(room, taps, column, 0, weights);
            }
            let panels = Panels {
                values: room,
                columns: count,
                bias: reads.biases(first, count),
            };
            layer.multiply(&panels, first, patches, output);
        }
    }
}

/// A convolution, without its weights.
struct Layer<'a> {
    params: &'a ConvF32,
    input: &'a [f32],
    product: Product,
}

impl Layer<'_> {
    /// The output channels of `panels`, which are of one group, from `first` on.
    fn multiply(&self, panels: &Panels<'_>, first: usize, room: &mut [f32], output: &mut [f32]) {
        let params = self.params;
        let depth = params.group_channels();
        let depth_first = first / (params.output.channels / params.groups) * depth;
        let mut block = Block {
            layer: self,
            panels,
            depth_first,
            first,
            output,
        };
        if params.is_pointwise() {
            let step = params.input.channels;
            let rows = Rows::of_one_run(self.input, depth_first, params.pixels(), step, depth);
            return block.store(&rows, 0);
        }
        let (width, columns) = (params.output.width, self.columns_in_place());
        let mut done = 0;
        for y in 0..params.output.height {
            if columns.is_empty() || !self.has_all_rows(y) {
                continue;
            }
            block.collect(done..y * width + columns.start, room);
            block.in_place(y, columns.clone());
            done = y * width + columns.end;
        }
        block.collect(done..params.pixels(), room);
    }

    /// The output columns whose patches are read where they lie.
    fn columns_in_place(&self) -> Range<usize> {
        let ConvF32 {
            input,
            output,
            window,
            groups,
            ..
        } = *self.params;
        let (stride, pad) = (window.stride[1], window.pad[1]);
        let reach = (window.kernel[1] - 1) * window.dilation[1];
        // Taps of a kernel row are one run.
        let dense = window.kernel[1] == 1 || window.dilation[1] == 1 && groups == 1;
        let start = pad.div_ceil(stride);
        let end = (input.width + pad).saturating_sub(reach).div_ceil(stride);
        let columns = start..end.min(output.width);
        if dense && columns.len() >= IN_PLACE {
            columns
        } else {
            0..0
        }
    }

    fn has_all_rows(&self, y: usize) -> bool {
        let window = &self.params.window;
        window.inside(0, y, self.params.input.height).len() == window.kernel[0]
    }
}

/// The output channels of some panels.
struct Block<'a> {
    layer: &'a Layer<'a>,
    panels: &'a Panels<'a>,
    /// First input channel of the group.
    depth_first: usize,
    /// First output channel.
    first: usize,
    output: &'a mut [f32],
}

impl Block<'_> {
    /// Pixels of row `y` whose patches lie within the input.
    fn in_place(&mut self, y: usize, columns: Range<usize>) {
        let ConvF32 {
            input,
            output,
            window,
            ..
        } = *self.layer.params;
        let at = |axis: usize, out: usize| out * window.stride[axis] - window.pad[axis];
        let pixel = at(0, y) * input.width + at(1, columns.start);
        let rows = Rows {
            values: self.layer.input,
            first: pixel * input.channels + self.depth_first,
            count: columns.len(),
            step: window.stride[1] * input.channels,
            runs: window.kernel[0],
            jump: window.dilation[0] * input.width * input.channels,
            len: window.kernel[1] * self.layer.params.group_channels(),
        };
        self.store(&rows, y * output.width + columns.start);
    }

    /// Any pixels.
    fn collect(&mut self, pixels: Range<usize>, room: &mut [f32]) {
        let params = self.layer.params;
        let (len, width) = (params.patch_len(), params.output.width);
        let copy = |from: &[f32], to: &mut [f32]| to.copy_from_slice(from);
        let step = params.patches().max(1);
        for first in pixels.clone().step_by(step) {
            let count = (pixels.end - first).min(step);
            for (pixel, patch) in (first..first + count).zip(room.chunks_exact_mut(len)) {
                let at = [pixel / width, pixel % width];
                let input = self.layer.input;
                if params
                    .window
                    .inside(1, at[1], params.input.width)
                    .is_empty()
                {
                    patch.fill(0.0);
                    continue;
                }
                collect(params.input, &params.window, 0.0, input, at, patch, copy);
            }
            let mut rows = Rows::of_one_run(room, self.depth_first, count, len, len);
            if params.groups > 1 {
                rows.runs = params.window.kernel[0] * params.window.kernel[1];
                rows.jump = params.input.channels;
                rows.len = params.group_channels();
            }
            self.store(&rows, first);
        }
    }

    fn store(&mut self, rows: &Rows<'_>, pixel: usize) {
        let ConvF32 {
            output, min, max, ..
        } = *self.layer.params;
        let store = Store {
            values: self.output,
            first: pixel * output.channels + self.first,
            step: output.channels,
            min,
            max,
        };
        (self.layer.product)(rows, self.panels, store);
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
        packing: Packing::ROWS,
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
