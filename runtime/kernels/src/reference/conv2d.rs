//! 2-D convolution; with a 1×1 window also the dense (fully connected, matrix multiply) layer.

use crate::num::{Multiplier, Output, Shape, Window};
use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, LEN_MAX, Operator, extents, one, require,
};
use crate::packing::Packing;
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a convolution with dense or grouped channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv2d {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// The window.
    pub window: Window,
    /// Groups; both channel counts are multiples of it.
    pub groups: usize,
    /// Zero point of the input: the value that padding has.
    pub input_zero: i8,
    /// How sums become outputs.
    pub store: Output,
    /// How the weights lie; [`Packing::ROWS`] where there are groups.
    pub packing: Packing,
    /// Bytes of scratch that the kernel of the plan's target wants.
    pub scratch: usize,
}

/// Constants of a convolution, one entry an output channel but for the weights.
#[derive(Clone, Copy, Debug)]
pub struct ConvConstants<'a> {
    /// `[output channel][kernel row][kernel column][input channel of the group]`, as the packing
    /// of the parameters lays them out.
    pub weights: &'a [i8],
    /// Bias with the input's zero point folded in: `bias − input_zero · Σ weights`.
    pub bias: &'a [i32],
    /// [`Multiplier::mantissa`] of each output channel.
    pub mantissas: &'a [i32],
    /// [`Multiplier::shift`] of each output channel.
    pub shifts: &'a [i8],
}

impl<'a> ConvConstants<'a> {
    /// The extents of a step's constants, in their order.
    pub fn extents(weights: usize, channels: usize) -> Extents {
        extents(&[
            Extent::new(Element::I8, weights),
            Extent::new(Element::I32, channels),
            Extent::new(Element::I32, channels),
            Extent::new(Element::I8, channels),
        ])
    }

    /// A step's constants, which have the extents of [`ConvConstants::extents`].
    pub fn of(constants: &Constants<'a>) -> Self {
        Self {
            weights: constants.get(0),
            bias: constants.get(1),
            mantissas: constants.get(2),
            shifts: constants.get(3),
        }
    }

    /// Every channel has a valid multiplier.
    ///
    /// # Errors
    /// [`Fault::Number`] if one has not.
    pub fn check(&self) -> Result<(), Fault> {
        let mut channels = 0..self.mantissas.len();
        channels.try_for_each(|channel| rules::factor(self.multiplier(channel)))
    }

    /// The multiplier of one output channel.
    pub fn multiplier(&self, channel: usize) -> Multiplier {
        Multiplier {
            mantissa: self.mantissas[channel],
            shift: self.shifts[channel],
        }
    }

    /// The output for the products' sum `sum` of one output channel.
    pub fn output(&self, channel: usize, sum: i32, store: Output) -> i8 {
        let sum = self.bias[channel].wrapping_add(sum);
        store.store(self.multiplier(channel).apply(sum))
    }
}

impl Conv2d {
    /// Input channels that one output channel reads.
    pub const fn group_channels(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Taps of one output channel, which is also its number of weights.
    pub const fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.group_channels()
    }

    /// Weights in all, those that pad included.
    pub const fn weights_len(&self) -> usize {
        self.packing.len(self.output.channels, self.taps())
    }

    /// Multiply–accumulates, padding counted; saturates.
    pub const fn macs(&self) -> usize {
        self.output.len().saturating_mul(self.taps())
    }
}

impl Operator for Conv2d {
    fn kind(&self) -> &'static str {
        "conv2d"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::window(self.input, self.output, &self.window)?;
        let (inputs, outputs) = (self.input.channels, self.output.channels);
        let grouped = self.groups > 0
            && inputs.is_multiple_of(self.groups)
            && outputs.is_multiple_of(self.groups);
        require(grouped, Fault::Shape)?;
        let [rows, columns] = self.window.kernel;
        rules::taps(&[rows, columns, self.group_channels()], outputs)?;
        let packed = self.groups == 1 || self.packing == Packing::ROWS;
        require(packed && self.scratch <= LEN_MAX, Fault::Size)?;
        self.packing.check(outputs, self.taps())?;
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
        let constants = ConvConstants::of(constants);
        let (channels, taps) = (self.output.channels, self.taps());
        let padded = self.packing.is_padded(constants.weights, channels, taps);
        require(padded, Fault::Number)?;
        constants.check()
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
        (set.conv2d)(self, &constants, input, scratch, args.output(0));
    }
}

/// Writes the convolution of `input` to `output`, both HWC.
pub fn conv2d(
    params: &Conv2d,
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

fn dot(params: &Conv2d, weights: &[i8], input: &[i8], at: [usize; 2], channel: usize) -> i32 {
    let Shape {
        height,
        width,
        channels,
    } = params.input;
    let depth = params.group_channels();
    let first = channel / (params.output.channels / params.groups) * depth;
    let [rows, columns] = params.window.kernel;
    let mut sum = 0_i32;
    for tap in 0..params.taps() {
        let (row, column) = (tap / depth / columns % rows, tap / depth % columns);
        let y = params.window.tap(0, at[0], row, height);
        let x = params.window.tap(1, at[1], column, width);
        let value = match (y, x) {
            (Some(y), Some(x)) => input[(y * width + x) * channels + first + tap % depth],
            _ => params.input_zero,
        };
        let weight = weights[params.packing.index(params.taps(), channel, tap)];
        sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
    }
    sum
}
