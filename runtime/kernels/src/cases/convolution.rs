//! Cases of the convolutions: all windows, groups, channel multipliers and paddings.

use super::pool::{Sliding, sliding, three_by_three};
use super::{Case, Operand, Rng};
use crate::num::{Shape, Window};
use crate::packing::Packing;
use crate::reference::conv_transpose::ConvTranspose;
use crate::reference::conv2d::Conv2d;
use crate::reference::depthwise::Depthwise;
use bytemuck::cast_slice_mut;

impl Case for Conv2d {
    fn random(rng: &mut Rng) -> Self {
        let Sliding {
            input,
            output,
            window,
        } = sliding(rng, true);
        let groups = if rng.once_in(4) { rng.size(2..=3) } else { 1 };
        let depth_max = if window.kernel == [1, 1] { 21 } else { 9 };
        // Several blocks of a packing's lanes, and a part of one.
        let channels = if groups == 1 && rng.once_in(4) {
            rng.size(10..=40)
        } else {
            groups * rng.size(1..=9)
        };
        Self {
            input: Shape {
                channels: groups * rng.size(1..=depth_max),
                ..input
            },
            output: Shape { channels, ..output },
            window,
            groups,
            input_zero: rng.int8(),
            store: rng.output(),
            packing: if groups == 1 {
                packing(rng)
            } else {
                Packing::ROWS
            },
            scratch: scratch(rng),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        fill(rng, operand, bytes);
        if operand == Operand::Constant(0) {
            let taps = self.taps();
            for padding in taps..self.packing.pitch(taps) {
                for channel in 0..self.output.channels {
                    bytes[self.packing.index(taps, channel, padding)] = 0;
                }
            }
        }
    }
}

/// The packings that targets have, and any.
fn packing(rng: &mut Rng) -> Packing {
    match rng.size(0..=6) {
        0 | 1 => Packing::ROWS,
        2 => Packing::new(1, 4),
        3 => Packing::new(4, 4),
        4 => Packing::new(4, 16),
        5 => Packing::new(16, 4),
        _ => Packing::new(rng.size(1..=20) as u8, rng.size(1..=9) as u8),
    }
}

/// None, too little, or enough.
fn scratch(rng: &mut Rng) -> usize {
    match rng.size(0..=2) {
        0 => 0,
        1 => 4 * rng.size(1..=100),
        _ => 4096,
    }
}

impl Case for Depthwise {
    fn random(rng: &mut Rng) -> Self {
        let Sliding {
            input,
            output,
            mut window,
        } = if rng.once_in(2) {
            three_by_three(rng)
        } else {
            sliding(rng, true)
        };
        if rng.once_in(4) {
            // More columns than the registers of some kernels hold at once.
            window.kernel[1] += 4;
        }
        let (channels, multiplier) = match rng.size(0..=5) {
            0 | 1 => (rng.size(1..=9), rng.size(2..=4)),
            2 => (rng.size(46..=140), 1),
            3 => (8 * rng.size(1..=6), 1),
            _ => (rng.size(1..=45), 1),
        };
        Self {
            input: Shape { channels, ..input },
            output: Shape {
                channels: channels * multiplier,
                ..output
            },
            window,
            input_zero: rng.int8(),
            store: rng.output(),
            scratch: scratch(rng),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        fill(rng, operand, bytes);
        if operand == Operand::Constant(0) && rng.once_in(2) {
            // Symmetric weights, as quantizers make them.
            for weight in cast_slice_mut::<u8, i8>(bytes) {
                *weight = (*weight).max(-i8::MAX);
            }
        }
    }
}

impl Case for ConvTranspose {
    fn random(rng: &mut Rng) -> Self {
        let groups = if rng.once_in(4) { rng.size(2..=3) } else { 1 };
        let mut pair =
            |range: core::ops::RangeInclusive<usize>| [(); 2].map(|()| rng.size(range.clone()));
        let ([input, output], window) = (
            [pair(1..=5), pair(1..=9)],
            Window {
                kernel: pair(1..=4),
                stride: pair(1..=3),
                dilation: pair(1..=2),
                pad: pair(0..=3),
            },
        );
        let mut shape = |[height, width]: [usize; 2]| Shape {
            height,
            width,
            channels: groups * rng.size(1..=9),
        };
        Self {
            input: shape(input),
            output: shape(output),
            window,
            groups,
            input_zero: rng.int8(),
            store: rng.output(),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        fill(rng, operand, bytes);
    }
}

/// Fills input, weights, biases, mantissas and shifts.
pub(super) fn fill(rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
    match operand {
        Operand::Constant(1) => cast_slice_mut(bytes).fill_with(|| rng.bias()),
        Operand::Constant(2) => rng.fill_mantissas(cast_slice_mut(bytes)),
        Operand::Constant(3) => rng.fill_shifts(-14..=-4, cast_slice_mut(bytes)),
        _ => rng.fill(cast_slice_mut(bytes)),
    }
}
