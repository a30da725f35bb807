//! What programs are told, word for word as `shaders/` declares it.

use bytemuck::NoUninit;
use microtome_kernels::num;
use microtome_kernels::reference::conv2d::ConvConstants;

/// `Job` in `common.wgsl`: the head of every program's parameters.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(crate) struct Job {
    /// Words of the arena of one sample.
    pub sample_words: u32,
    /// Byte offset of the output in it.
    pub output_at: u32,
    /// Elements of the output.
    pub output_len: u32,
}

/// `Shape` in `common.wgsl`.
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Shape {
    height: u32,
    width: u32,
    channels: u32,
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
#[derive(Clone, Copy, Debug, NoUninit)]
#[repr(C)]
pub(super) struct Factor {
    mantissa: i32,
    /// Right shift of the 64-bit product.
    right: u32,
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
pub(super) fn pack_channels(constants: &ConvConstants<'_>, packed: &mut Vec<[u32; 4]>) -> u32 {
    let at = packed.len() as u32;
    packed.extend(constants.bias.iter().enumerate().map(|(channel, &bias)| {
        let factor = Factor::from(constants.multiplier(channel));
        [bias as u32, factor.mantissa as u32, factor.right, 0]
    }));
    at
}
