//! Cases of the convolutions: all windows, groups, channel multipliers and paddings.

use super::pool::{Sliding, sliding};
use super::{Buffers, Rng, compare};
use crate::num::Shape;
use crate::reference;
use crate::reference::conv2d::{Conv2d, ConvConstants};
use crate::reference::depthwise::Depthwise;
use crate::set::{Convolution, KernelSet};
use core::fmt::Debug;

/// One case of a convolution.
pub fn conv2d(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let Sliding {
        input,
        output,
        window,
    } = sliding(rng, true);
    let groups = if rng.once_in(4) { rng.size(2..=3) } else { 1 };
    let depth_max = if window.kernel == [1, 1] { 21 } else { 9 };
    let params = Conv2d {
        input: Shape {
            channels: groups * rng.size(1..=depth_max),
            ..input
        },
        output: Shape {
            channels: groups * rng.size(1..=9),
            ..output
        },
        window,
        groups,
        input_zero: rng.int8(),
        store: rng.output(),
    };
    let case = Case {
        params: &params,
        lens: [
            params.input.len(),
            params.weights_len(),
            params.output.len(),
        ],
        channels: params.output.channels,
    };
    case.check(set, set.conv2d, reference::SET.conv2d, rng, buffers);
}

/// One case of a depthwise convolution.
pub fn depthwise(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let Sliding {
        input,
        output,
        window,
    } = sliding(rng, true);
    let (channels, multiplier) = if rng.once_in(3) {
        (rng.size(1..=9), rng.size(2..=4))
    } else {
        (rng.size(1..=45), 1)
    };
    let params = Depthwise {
        input: Shape { channels, ..input },
        output: Shape {
            channels: channels * multiplier,
            ..output
        },
        window,
        input_zero: rng.int8(),
        store: rng.output(),
    };
    let case = Case {
        params: &params,
        lens: [
            params.input.len(),
            params.weights_len(),
            params.output.len(),
        ],
        channels: params.output.channels,
    };
    case.check(set, set.depthwise, reference::SET.depthwise, rng, buffers);
}

struct Case<'a, P> {
    params: &'a P,
    /// Elements of the input, the weights and the output.
    lens: [usize; 3],
    channels: usize,
}

impl<P: Debug> Case<'_, P> {
    fn check(
        &self,
        set: &KernelSet,
        kernel: Convolution<P>,
        reference: Convolution<P>,
        rng: &mut Rng,
        buffers: &mut Buffers,
    ) {
        let [input, weights, output] = self.lens;
        rng.fill(&mut buffers.input[..input]);
        rng.fill(&mut buffers.other[..weights]);
        for channel in 0..self.channels {
            let factor = rng.multiplier(-14..=-4);
            buffers.bias[channel] = rng.bias();
            buffers.mantissas[channel] = factor.mantissa;
            buffers.shifts[channel] = factor.shift;
        }
        let constants = ConvConstants {
            weights: &buffers.other[..weights],
            bias: &buffers.bias[..self.channels],
            mantissas: &buffers.mantissas[..self.channels],
            shifts: &buffers.shifts[..self.channels],
        };
        let input = &buffers.input[..input];
        let (expected, got) = (&mut buffers.expected[..output], &mut buffers.got[..output]);
        reference(self.params, &constants, input, expected);
        kernel(self.params, &constants, input, got);
        compare(set, self.params, expected, got);
    }
}
