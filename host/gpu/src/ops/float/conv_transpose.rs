//! Transposed convolution.

use super::conv::{Conv, TILE_8, TILE_PIXELS};
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::program::Program;
use microtome_kernels::float::conv_transpose::ConvTransposeF32;

pub(in crate::ops) const PROGRAM: Program = Program::with_chain(
    "conv_transpose_f32",
    &[
        TILE_8,
        include_str!("../../shaders/float/conv_params.wgsl"),
        include_str!("../../shaders/float/gemm.wgsl"),
        include_str!("../../shaders/float/accumulate.wgsl"),
        include_str!("../../shaders/float/conv_transpose.wgsl"),
    ],
);
pub(in crate::ops) const PROGRAM_QUADS: Program = Program::with_chain(
    "conv_transpose_f32_quads",
    &[
        TILE_8,
        include_str!("../../shaders/float/conv_params.wgsl"),
        include_str!("../../shaders/float/gemm.wgsl"),
        include_str!("../../shaders/float/accumulate_quads.wgsl"),
        include_str!("../../shaders/float/conv_transpose.wgsl"),
    ],
);

pub(in crate::ops) fn dispatch(at: &mut At<'_>, conv: &ConvTransposeF32) -> Option<Dispatch> {
    let stride = conv.window.stride[1];
    let row_tiles = conv.output.width.div_ceil(stride).div_ceil(TILE_PIXELS) * stride;
    let tiles = row_tiles * conv.output.height;
    let conv = Conv {
        input: conv.input,
        output: conv.output,
        window: conv.window,
        groups: conv.groups,
        limits: [conv.min, conv.max],
        sources: [conv.weights, conv.bias],
        is_transposed: true,
    };
    let params = conv.params(at)?;
    let invocations = tiles * params.tiles as usize;
    let program = if params.has_quads() {
        &PROGRAM_QUADS
    } else {
        &PROGRAM
    };
    Some(Dispatch::of_invocations(program, &params, invocations))
}
