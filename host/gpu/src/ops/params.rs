//! What programs are told, word for word as `shaders/` declares it.

use super::context::Packed;
use bytemuck::{NoUninit, Pod, Zeroable};
use microtome_kernels::num;
use microtome_kernels::reference::conv2d::ConvConstants;
use microtome_kernels::view;
use microtome_plan::ArenaAt;

/// `Job` in `common.wgsl`: the head of every program's parameters.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(crate) struct Job {
    /// Words of the arena of one sample.
    pub sample_words: u32,
    /// Words that all samples read, before the first arena.
    pub shared_words: u32,
    /// Byte offset of the output in it.
    pub output_at: u32,
    /// Elements of the output.
    pub output_len: u32,
    /// First stage of the chain that a float result goes through, among the constants.
    pub chain_at: u32,
}

/// `Operand` in `common.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Operand {
    at: u32,
    of_sample: u32,
}

impl Operand {
    /// There.
    pub(super) const fn arena(at: ArenaAt) -> Self {
        Self {
            at: at.0 as u32,
            of_sample: 1,
        }
    }

    /// What all samples read, from this byte on.
    pub(super) const fn shared(at: usize) -> Self {
        Self {
            at: at as u32,
            of_sample: 0,
        }
    }

    /// Whether it begins at four words.
    pub(super) const fn is_at_quad(self) -> bool {
        self.at.is_multiple_of(16)
    }

    /// Its two words.
    pub(super) const fn words(self) -> [u32; 2] {
        [self.at, self.of_sample]
    }
}

/// `Axes` in `strided.wgsl`.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Axes([u32; view::AXES]);

impl From<[usize; view::AXES]> for Axes {
    fn from(sizes: [usize; view::AXES]) -> Self {
        Self(sizes.map(|size| size as u32))
    }
}

/// `Strides` in `strided.wgsl`.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Strides {
    offset: u32,
    steps: [i32; view::AXES],
}

impl From<view::Strides> for Strides {
    fn from(view: view::Strides) -> Self {
        Self {
            offset: view.offset as u32,
            // An axis of one element may have any stride, and adds nothing.
            steps: view.strides.map(|step| step as i32),
        }
    }
}

/// `Shape` in `common.wgsl`.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Shape {
    pub height: u32,
    pub width: u32,
    pub channels: u32,
}

impl From<num::Shape> for Shape {
    fn from(shape: num::Shape) -> Self {
        Self {
            height: shape.height as u32,
            width: shape.width as u32,
            channels: shape.channels as u32,
        }
    }
}

/// `Window` in `common.wgsl`: each pair is (rows, columns).
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Window {
    kernel: [u32; 2],
    stride: [u32; 2],
    dilation: [u32; 2],
    pad: [u32; 2],
}

impl From<num::Window> for Window {
    fn from(window: num::Window) -> Self {
        let words = |pair: [usize; 2]| pair.map(|size| size as u32);
        Self {
            kernel: words(window.kernel),
            stride: words(window.stride),
            dilation: words(window.dilation),
            pad: words(window.pad),
        }
    }
}

/// `Factor` in `fixed_point.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Factor {
    mantissa: i32,
    /// Right shift of the 64-bit product.
    right: u32,
}

impl Factor {
    /// Mantissa and right shift.
    pub(super) const fn words(self) -> [u32; 2] {
        [self.mantissa as u32, self.right]
    }
}

impl From<num::Multiplier> for Factor {
    fn from(factor: num::Multiplier) -> Self {
        Self {
            mantissa: factor.mantissa,
            right: (31 - i32::from(factor.shift)) as u32,
        }
    }
}

/// `Store` in `common.wgsl`.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Store {
    pub zero: i32,
    low: i32,
    high: i32,
}

impl From<num::Output> for Store {
    fn from(output: num::Output) -> Self {
        Self {
            zero: output.zero.into(),
            low: output.min.into(),
            high: output.max.into(),
        }
    }
}

/// For each output channel of a convolution: bias, mantissa, right shift, nothing.
pub(super) fn pack_channels(constants: &ConvConstants<'_>, packed: &mut Packed) -> u32 {
    packed.extend(constants.bias.iter().enumerate().map(|(channel, &bias)| {
        let factor = Factor::from(constants.multiplier(channel));
        [bias as u32, factor.mantissa as u32, factor.right, 0]
    }))
}
