//! Transposed convolution of floats, with groups: each input adds to a window of outputs.
//!
//! Computed from the output's side, so that no sum is in memory. Outputs at the strides' distance
//! read the same taps, whose weights are packed for them. Where that is one tap, its inputs are
//! multiplied where they lie; else they are collected, with zeros for what is outside.

use super::conv2d::ConvReads;
use super::source::{Reads, Source};
use super::tile::{COLUMNS, PANELS, Panels, Product, Row, Rows, Store, collected, pack_column};
use super::window;
use crate::num::{Shape, Window};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
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

    /// Rows of all panels that are packed at a time.
    fn packed_rows(&self) -> usize {
        let panels = (self.output.channels / self.groups).div_ceil(COLUMNS);
        panels.min(PANELS).saturating_mul(self.taps())
    }

    /// Patches that are collected at a time.
    fn patches(&self) -> usize {
        collected(self.taps(), self.output.width)
    }

    /// The first output of each phase.
    fn phases(&self) -> impl Iterator<Item = [usize; 2]> {
        let [rows, columns] = self.window.stride;
        let rows = 0..rows.min(self.output.height);
        let columns = columns.min(self.output.width);
        rows.flat_map(move |row| (0..columns).map(move |column| [row, column]))
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
        let packed = self.packed_rows().saturating_mul(size_of::<Row>());
        let patches = self.patches().saturating_mul(self.taps());
        packed.saturating_add(patches.saturating_mul(size_of::<f32>()))
    }

    fn macs(&self) -> usize {
        // The taps of the kernel are tried for every output, though only some have an input.
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
        conv_transpose(self, &reads, set.float.product, scratch, args.output(0));
    }
}

fn conv_transpose(
    params: &ConvTransposeF32,
    reads: &ConvReads<'_>,
    product: Product,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let (room, patches) = scratch.split_at_mut(params.packed_rows() * COLUMNS);
    let room = room.as_chunks_mut().0;
    let channels = params.output.channels / params.groups;
    for group in 0..params.groups {
        for first in (0..channels).step_by(PANELS * COLUMNS) {
            let count = (channels - first).min(PANELS * COLUMNS);
            let first = group * channels + first;
            for [row, column] in params.phases() {
                let phase = Phase::of(params, [row, column]);
                phase.pack(reads.weights, [first, count], room);
                let mut block = Block {
                    phase: &phase,
                    input: reads.input,
                    depth_first: group * params.depth(),
                    panels: Panels {
                        values: room,
                        columns: count,
                        bias: reads.biases(first, count),
                    },
                    first,
                    product,
                };
                block.run(patches, output);
            }
        }
    }
}

/// The outputs whose first row and column are these, at the strides' distance: they read the same
/// taps.
struct Phase<'a> {
    params: &'a ConvTransposeF32,
    start: [usize; 2],
    /// Taps that have an input, wherever that lies: the first of each axis, and how many.
    taps: [Taps; 2],
}

/// Every `step`-th tap from `first` on, `count` of them.
#[derive(Clone, Copy)]
struct Taps {
    first: usize,
    step: usize,
    count: usize,
}

impl Taps {
    fn at(self, index: usize) -> usize {
        self.first + index * self.step
    }
}

impl<'a> Phase<'a> {
    fn of(params: &'a ConvTransposeF32, start: [usize; 2]) -> Self {
        let taps = [0, 1].map(|axis| {
            let Window {
                kernel,
                stride,
                dilation,
                pad,
            } = params.window;
            // As many times the stride as makes every difference positive.
            let lift = (kernel[axis] * dilation[axis]).next_multiple_of(stride[axis]);
            let has_input = |tap: &usize| {
                let steps = start[axis] + pad[axis] + lift - tap * dilation[axis];
                steps.is_multiple_of(stride[axis])
            };
            let mut taps = (0..kernel[axis]).filter(has_input);
            let first = taps.next().unwrap_or(kernel[axis]);
            let second = taps.next();
            Taps {
                first,
                step: second.map_or(1, |second| second - first),
                count: usize::from(first < kernel[axis])
                    + usize::from(second.is_some())
                    + taps.count(),
            }
        });
        Self {
            params,
            start,
            taps,
        }
    }

    /// Elements of a patch.
    fn depth(&self) -> usize {
        self.taps[0].count * self.taps[1].count * self.params.depth()
    }

    /// Packs the weights of these taps alone.
    fn pack(&self, weights: &[f32], [first, count]: [usize; 2], room: &mut [Row]) {
        let (depth, columns) = (self.params.depth(), self.params.window.kernel[1]);
        let taps = self.params.taps();
        let [rows, along] = self.taps;
        for tap in 0..rows.count * along.count {
            let row = rows.at(tap / along.count);
            let from = (row * columns + along.at(tap % along.count)) * depth;
            for column in 0..count {
                let weights = &weights[(first + column) * taps + from..][..depth];
                pack_column(room, self.depth(), column, tap * depth, weights);
            }
        }
    }
}

/// Some output channels of a phase.
struct Block<'a> {
    phase: &'a Phase<'a>,
    input: &'a [f32],
    panels: Panels<'a>,
    /// First input channel of the group.
    depth_first: usize,
    /// First output channel.
    first: usize,
    product: Product,
}

impl Block<'_> {
    fn run(&mut self, room: &mut [f32], output: &mut [f32]) {
        let params = self.phase.params;
        let (width, stride) = (params.output.width, params.window.stride);
        for y in (self.phase.start[0]..params.output.height).step_by(stride[0]) {
            let in_place = self.in_place(y);
            // The columns to the left and to the right of those that are read where they lie.
            let mut start = self.phase.start[1];
            if let Some((rows, column)) = in_place {
                self.collect(y, [start, column], room, output);
                self.store(&rows, [y, column], output);
                start = column + rows.count * stride[1];
            }
            self.collect(y, [start, width], room, output);
        }
    }

    /// Outputs of row `y` that have one input each, neighbours of one another, and the first such
    /// column.
    fn in_place(&self, y: usize) -> Option<(Rows<'_>, usize)> {
        let Phase {
            params,
            start,
            taps,
        } = *self.phase;
        if taps.iter().any(|taps| taps.count != 1) {
            return None;
        }
        let input = params.input;
        let row = params.origin(0, y, taps[0].first)?;
        let stride = params.window.stride[1];
        let mut columns = (start[1]..params.output.width).step_by(stride);
        let (column, x) = columns.find_map(|out| {
            let x = params.origin(1, out, taps[1].first)?;
            Some((out, x))
        })?;
        let count = (params.output.width - column).div_ceil(stride);
        let count = count.min(input.width - x);
        let first = (row * input.width + x) * input.channels + self.depth_first;
        let values = self.input;
        let rows = Rows::of_one_run(values, first, count, input.channels, params.depth());
        Some((rows, column))
    }

    /// Outputs of row `y` in the columns from `start` to before `end`.
    fn collect(&self, y: usize, [start, end]: [usize; 2], room: &mut [f32], output: &mut [f32]) {
        let params = self.phase.params;
        let (len, stride) = (self.phase.depth(), params.window.stride[1]);
        let most = params.patches();
        for start in (start..end).step_by(most * stride) {
            let count = (end - start).div_ceil(stride).min(most);
            let used = &mut room[..count * len];
            for (index, patch) in used.chunks_exact_mut(len.max(1)).enumerate() {
                self.patch([y, start + index * stride], patch);
            }
            let rows = Rows::of_one_run(room, 0, count, len, len);
            self.store(&rows, [y, start], output);
        }
    }

    /// The inputs of one output, with zeros for those that are outside.
    fn patch(&self, [y, x]: [usize; 2], patch: &mut [f32]) {
        let Phase { params, taps, .. } = *self.phase;
        let depth = params.depth();
        for (tap, to) in patch.chunks_exact_mut(depth).enumerate() {
            let row = params.origin(0, y, taps[0].at(tap / taps[1].count));
            let column = params.origin(1, x, taps[1].at(tap % taps[1].count));
            let (Some(row), Some(column)) = (row, column) else {
                to.fill(0.0);
                continue;
            };
            let at = (row * params.input.width + column) * params.input.channels;
            to.copy_from_slice(&self.input[at + self.depth_first..][..depth]);
        }
    }

    fn store(&self, rows: &Rows<'_>, [y, x]: [usize; 2], output: &mut [f32]) {
        let ConvTransposeF32 {
            output: shape,
            window,
            min,
            max,
            ..
        } = *self.phase.params;
        let store = Store {
            values: output,
            first: (y * shape.width + x) * shape.channels + self.first,
            step: window.stride[1] * shape.channels,
            min,
            max,
        };
        (self.product)(rows, &self.panels, store);
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
