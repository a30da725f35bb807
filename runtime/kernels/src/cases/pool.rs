//! Cases of the pools and of padding, and the windows of all operators that slide one.

use super::{Case, Operand, Rng};
use crate::num::{Shape, Window};
use crate::reference::average_pool::{AveragePool, Divide};
use crate::reference::max_pool::MaxPool;
use crate::reference::pad::Pad;
use crate::reference::resize::{ONE, ResizeLinear};
use bytemuck::cast_slice_mut;

/// A window with the rows and columns over which it slides; both shapes have one channel.
pub(super) struct Sliding {
    pub(super) input: Shape,
    pub(super) output: Shape,
    pub(super) window: Window,
}

impl Sliding {
    fn new(inputs: [usize; 2], outputs: [usize; 2], window: Window) -> Self {
        let shape = |[height, width]: [usize; 2]| Shape {
            height,
            width,
            channels: 1,
        };
        Self {
            input: shape(inputs),
            output: shape(outputs),
            window,
        }
    }
}

/// The window of most depthwise convolutions, dense, with one or two to a step.
pub(super) fn three_by_three(rng: &mut Rng) -> Sliding {
    let mut window = Window {
        kernel: [3; 2],
        stride: [1; 2],
        dilation: [1; 2],
        pad: [0; 2],
    };
    let (mut inputs, mut outputs) = ([0; 2], [0; 2]);
    for axis in 0..2 {
        inputs[axis] = rng.size(1..=7);
        window.stride[axis] = rng.size(1..=2);
        window.pad[axis] = rng.size(0..=2);
        let outputs_max = (inputs[axis] + window.pad[axis]).div_ceil(window.stride[axis]);
        outputs[axis] = rng.size(1..=outputs_max.min(6));
    }
    Sliding::new(inputs, outputs, window)
}

/// Any window that validation accepts; a dilated one only if asked for.
pub(super) fn sliding(rng: &mut Rng, dilated: bool) -> Sliding {
    let mut window = Window {
        kernel: [1; 2],
        stride: [1; 2],
        dilation: [1; 2],
        pad: [0; 2],
    };
    let (mut inputs, mut outputs) = ([0; 2], [0; 2]);
    let pointwise = rng.once_in(4);
    for axis in 0..2 {
        inputs[axis] = rng.size(1..=7);
        if !pointwise {
            window.kernel[axis] = rng.size(1..=4);
        }
        window.stride[axis] = if rng.once_in(2) { rng.size(1..=3) } else { 1 };
        if dilated && rng.once_in(4) {
            window.dilation[axis] = rng.size(1..=3);
        }
        window.pad[axis] = rng.size(0..=(window.kernel[axis] - 1) * window.dilation[axis]);
        let outputs_max = (inputs[axis] + window.pad[axis]).div_ceil(window.stride[axis]);
        outputs[axis] = rng.size(1..=outputs_max.min(6));
    }
    Sliding::new(inputs, outputs, window)
}

impl Case for AveragePool {
    fn random(rng: &mut Rng) -> Self {
        let Sliding {
            input,
            output,
            window,
        } = sliding(rng, false);
        let channels = rng.size(1..=45);
        let divide = if rng.once_in(2) {
            Divide::Count
        } else {
            Divide::Scale {
                zero: rng.int8(),
                factor: rng.multiplier(-5..=0),
            }
        };
        Self {
            input: Shape { channels, ..input },
            output: Shape { channels, ..output },
            window,
            divide,
            store: rng.output(),
        }
    }
}

impl Case for MaxPool {
    fn random(rng: &mut Rng) -> Self {
        let Sliding {
            input,
            output,
            window,
        } = sliding(rng, false);
        let channels = rng.size(1..=45);
        let [min, max] = rng.clamp();
        Self {
            input: Shape { channels, ..input },
            output: Shape { channels, ..output },
            window,
            min,
            max,
        }
    }
}

impl Case for ResizeLinear {
    fn random(rng: &mut Rng) -> Self {
        let channels = rng.size(1..=9);
        let mut shape = || Shape {
            height: rng.size(1..=9),
            width: rng.size(1..=9),
            channels,
        };
        Self {
            input: shape(),
            output: shape(),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        match operand {
            Operand::Constant(axis @ (0 | 2)) => {
                let extent = [self.input.height, self.input.width][axis / 2];
                let indices: &mut [i32] = cast_slice_mut(bytes);
                indices.fill_with(|| rng.size(0..=extent - 1) as i32);
            }
            Operand::Constant(_) => {
                let weights: &mut [i16] = cast_slice_mut(bytes);
                weights.fill_with(|| rng.size(0..=ONE as usize) as i16);
            }
            Operand::Input(_) => rng.fill(cast_slice_mut(bytes)),
        }
    }
}

impl Case for Pad {
    fn random(rng: &mut Rng) -> Self {
        let inner = [0; 3].map(|_| rng.size(1..=7));
        let mut before = [0; 3];
        let mut outer = inner;
        let axes = if rng.once_in(2) { 2 } else { 3 };
        for axis in 0..axes {
            before[axis] = rng.size(0..=3);
            outer[axis] += before[axis] + rng.size(0..=3);
        }
        let shape = |[height, width, channels]: [usize; 3]| Shape {
            height,
            width,
            channels,
        };
        Self {
            input: shape(inner),
            output: shape(outer),
            before,
            value: rng.int8(),
        }
    }
}
