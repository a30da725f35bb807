//! Depthwise convolution: every output channel reads one input channel.

use super::conv2d::ConvConstants;
use crate::num::{Output, Shape, Window};
use crate::operator::{Args, Constants, Element, Extents, Fault, LEN_MAX, Operator, one, require};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depthwise {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape; its channels are a multiple (TFLite's depth multiplier) of the input's.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Zero point of the input: the value that padding has.
    pub input_zero: i8,
    /// How sums become outputs.
    pub store: Output,
    /// Bytes of scratch that the kernel of the plan's target wants.
    pub scratch: usize,
}

impl Depthwise {
    /// Output channels that read one input channel.
    pub const fn multiplier(&self) -> usize {
        self.output.channels / self.input.channels
    }

    /// Weights in all.
    pub const fn weights_len(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.output.channels
    }

    /// Multiply–accumulates, padding counted; saturates.
    pub const fn macs(&self) -> usize {
        let [rows, columns] = self.window.kernel;
        self.output.len().saturating_mul(rows * columns)
    }
}

impl Operator for Depthwise {
    fn kind(&self) -> &'static str {
        "depthwise"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::window(self.input, self.output, &self.window)?;
        let (inputs, outputs) = (self.input.channels, self.output.channels);
        require(outputs.is_multiple_of(inputs), Fault::Shape)?;
        rules::taps(&self.window.kernel, outputs)?;
        require(self.scratch <= LEN_MAX, Fault::Size)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.input.len())
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.output.len())
    }

    fn constants(&self) -> Extents {
        ConvConstants::extents(self.weights_len(), self.output.channels)
    }

    fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
        ConvConstants::of(constants).check()
    }

    fn scratch_bytes(&self) -> usize {
        self.scratch
    }

    fn macs(&self) -> usize {
        Self::macs(self)
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let (input, constants) = (args.input(0), ConvConstants::of(&args.constants));
        let scratch = core::mem::take(&mut args.scratch);
        (set.depthwise)(self, &constants, input, scratch, args.output(0));
    }
}

/// Writes the depthwise convolution of `input` to `output`, both HWC. The weights in `constants`
/// are `[kernel row][kernel column][output channel]`.
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    _scratch: &mut [u8],
    output: &mut [i8],
) {
    let Shape {
        width, channels, ..
    } = params.output;
    for (index, out) in output.iter_mut().enumerate() {
        let (pixel, channel) = (index / channels, index % channels);
        let sum = dot(
            params,
            constants.weights,
            input,
            [pixel / width, pixel % width],
            channel,
        );
        *out = constants.output(channel, sum, params.store);
    }
}

fn dot(params: &Depthwise, weights: &[i8], input: &[i8], at: [usize; 2], channel: usize) -> i32 {
    let Shape {
        height,
        width,
        channels,
    } = params.input;
    let [rows, columns] = params.window.kernel;
    let mut sum = 0_i32;
    for tap in 0..rows * columns {
        let y = params.window.tap(0, at[0], tap / columns, height);
        let x = params.window.tap(1, at[1], tap % columns, width);
        let value = match (y, x) {
            (Some(y), Some(x)) => input[(y * width + x) * channels + channel / params.multiplier()],
            _ => params.input_zero,
        };
        let weight = weights[tap * params.output.channels + channel];
        sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
    }
    sum
}
