//! Convolution: a tile of eight pixels by eight or sixteen output channels at a time, or, of few
//! pixels, one element at a time.

use super::conv::{Conv, TILE_8, TILE_CHANNELS_WIDE, TILE_PIXELS};
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::program::Program;
use microtome_kernels::float::conv2d::ConvF32;

pub(in crate::ops) const PROGRAM: Program = Program::by_float(
    "conv2d_f32",
    &[
        TILE_8,
        include_str!("../../shaders/float/conv_params.wgsl"),
        include_str!("../../shaders/float/conv2d.wgsl"),
    ],
);
pub(in crate::ops) const PROGRAM_TILE: Program = Program::with_chain(
    "conv2d_f32_tile",
    &[
        TILE_8,
        include_str!("../../shaders/float/conv_params.wgsl"),
        include_str!("../../shaders/float/gemm.wgsl"),
        include_str!("../../shaders/float/accumulate.wgsl"),
        include_str!("../../shaders/float/conv2d_tile.wgsl"),
    ],
);
pub(in crate::ops) const PROGRAM_TILE_QUADS: Program = Program::with_chain(
    "conv2d_f32_tile_quads",
    &[
        TILE_8,
        include_str!("../../shaders/float/conv_params.wgsl"),
        include_str!("../../shaders/float/gemm.wgsl"),
        include_str!("../../shaders/float/accumulate_quads.wgsl"),
        include_str!("../../shaders/float/conv2d_tile.wgsl"),
    ],
);

pub(in crate::ops) const PROGRAM_TILE_WIDE: Program = Program::with_chain(
    "conv2d_f32_tile_wide",
    &[
        include_str!("../../shaders/float/tile_16.wgsl"),
        include_str!("../../shaders/float/conv_params.wgsl"),
        include_str!("../../shaders/float/gemm.wgsl"),
        include_str!("../../shaders/float/accumulate_quads.wgsl"),
        include_str!("../../shaders/float/conv2d_tile.wgsl"),
    ],
);

pub(in crate::ops) fn dispatch(at: &mut At<'_>, conv: &ConvF32) -> Option<Dispatch> {
    let conv = Conv {
        input: conv.input,
        output: conv.output,
        window: conv.window,
        groups: conv.groups,
        limits: [conv.min, conv.max],
        sources: [conv.weights, conv.bias],
        is_transposed: false,
    };
    let params = conv.params(at)?;
    Some(of(&conv, params))
}

/// The dispatch of a convolution with these parameters.
pub(super) fn of(conv: &Conv, params: super::conv::Params) -> Dispatch {
    if conv.has_few_pixels() {
        return Dispatch::of_invocations(&PROGRAM, &params, conv.output.len());
    }
    let pixels = conv.output.height * conv.output.width;
    let invocations = pixels.div_ceil(TILE_PIXELS) * params.tiles as usize;
    let program = match (params.has_quads(), conv.tile_channels(params.input_at)) {
        (true, TILE_CHANNELS_WIDE) => &PROGRAM_TILE_WIDE,
        (true, _) => &PROGRAM_TILE_QUADS,
        (false, _) => &PROGRAM_TILE,
    };
    Dispatch::of_invocations(program, &params, invocations)
}
