//! Transposed 2-D convolution: every input pixel adds a window of weights to the output.

use super::conv2d::ConvConstants;
use crate::num::{Output, Shape, Window};
use crate::operator::{Args, Constants, Element, Extents, Fault, Operator, one, require};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a transposed convolution. Constants are those of
/// [`Conv2d`](super::conv2d::Conv2d), but the biases know nothing of the input's zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvTranspose {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window: input pixel `i` adds its tap `t` to output `i · stride + t · dilation − pad`.
    pub window: Window,
    /// Groups; both channel counts are multiples of it.
    pub groups: usize,
    /// Zero point of the input.
    pub input_zero: i8,
    /// How sums become outputs.
    pub store: Output,
}

impl ConvTranspose {
    /// Input channels that one output channel reads.
    pub const fn group_channels(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Weights of one output channel.
    pub const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.group_channels()
    }

    /// The input row (axis 0) or column (axis 1) that adds its tap `tap` to output `out`.
    pub const fn source(&self, axis: usize, out: usize, tap: usize) -> Option<usize> {
        let extent = [self.input.height, self.input.width][axis];
        let padded = out + self.window.pad[axis];
        let before = tap * self.window.dilation[axis];
        let stride = self.window.stride[axis];
        if padded < before || !(padded - before).is_multiple_of(stride) {
            return None;
        }
        let source = (padded - before) / stride;
        if source < extent { Some(source) } else { None }
    }
}

impl Operator for ConvTranspose {
    fn kind(&self) -> &'static str {
        "conv_transpose"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::shape(self.input)?;
        rules::shape(self.output)?;
        let Window {
            kernel,
            stride,
            dilation,
            pad,
        } = self.window;
        let mut sizes = kernel.into_iter().chain(stride).chain(dilation);
        let bounded = sizes.all(|size| size > 0 && size <= rules::WINDOW_MAX);
        require(bounded, Fault::Size)?;
        let padding = pad.iter().all(|&pad| pad <= rules::EXTENT_MAX);
        require(padding, Fault::Size)?;
        let (inputs, outputs) = (self.input.channels, self.output.channels);
        let grouped = self.groups > 0
            && inputs.is_multiple_of(self.groups)
            && outputs.is_multiple_of(self.groups);
        require(grouped, Fault::Shape)?;
        rules::taps(&[kernel[0], kernel[1], self.group_channels()], outputs)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.input.len())
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.output.len())
    }

    fn constants(&self) -> Extents {
        let channels = self.output.channels;
        ConvConstants::extents(channels * self.taps(), channels)
    }

    fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
        ConvConstants::of(constants).check()
    }

    fn macs(&self) -> usize {
        let weights = self.output.channels / self.groups * self.taps() / self.group_channels();
        self.input.len().saturating_mul(weights)
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let (input, constants) = (args.input(0), ConvConstants::of(&args.constants));
        (set.conv_transpose)(self, &constants, input, args.output(0));
    }
}

/// Writes the transposed convolution of `input` to `output`, both HWC.
pub fn conv_transpose(
    params: &ConvTranspose,
    constants: &ConvConstants<'_>,
    input: &[i8],
    output: &mut [i8],
) {
    let Shape {
        width, channels, ..
    } = params.output;
    for (pixel, outputs) in output.chunks_exact_mut(channels).enumerate() {
        let at = [pixel / width, pixel % width];
        for (channel, out) in outputs.iter_mut().enumerate() {
            let sum = dot(params, constants.weights, input, at, channel);
            *out = constants.output(channel, sum, params.store);
        }
    }
}

fn dot(
    params: &ConvTranspose,
    weights: &[i8],
    input: &[i8],
    at: [usize; 2],
    channel: usize,
) -> i32 {
    let Shape {
        width, channels, ..
    } = params.input;
    let depth = params.group_channels();
    let first = channel / (params.output.channels / params.groups) * depth;
    let [rows, columns] = params.window.kernel;
    let weights = &weights[channel * params.taps()..][..params.taps()];
    let mut sum = 0_i32;
    for row in 0..rows {
        let Some(y) = params.source(0, at[0], row) else {
            continue;
        };
        for column in 0..columns {
            let Some(x) = params.source(1, at[1], column) else {
                continue;
            };
            let values = &input[(y * width + x) * channels + first..][..depth];
            let weights = &weights[(row * columns + column) * depth..][..depth];
            for (&value, &weight) in values.iter().zip(weights) {
                let value = i32::from(value) - i32::from(params.input_zero);
                sum += value * i32::from(weight);
            }
        }
    }
    sum
}
