//! Depthwise convolution.

use crate::ops::Dispatch;
use crate::ops::chain;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand, Shape, Window};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::depthwise::DepthwiseF32;
use microtome_kernels::float::source::Source;

pub(in crate::ops) const PROGRAM: Program = Program::with_chain(
    "depthwise_f32",
    &[include_str!("../../shaders/float/depthwise.wgsl")],
);

/// Pixels that an invocation computes.
const PIXELS: usize = 8;

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    weights: Operand,
    bias: Operand,
    has_bias: u32,
    input: Shape,
    output: Shape,
    window: Window,
    multiplier: u32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, conv: &DepthwiseF32) -> Option<Dispatch> {
    let sources = [Source::Operand, conv.weights, conv.bias];
    let weights = at.read(&sources, 1)?;
    let bias = at.read(&sources, 2);
    let params = Params {
        job: at.chained(chain::clamp(conv.min, conv.max)),
        input_at: at.arena(0)?.0 as u32,
        weights,
        bias: bias.unwrap_or(weights),
        has_bias: u32::from(bias.is_some()),
        input: conv.input.into(),
        output: conv.output.into(),
        window: conv.window.into(),
        multiplier: conv.multiplier() as u32,
    };
    let tiles = conv.output.width.div_ceil(PIXELS) * conv.output.height;
    let invocations = tiles * conv.output.channels;
    Some(Dispatch::of_invocations(&PROGRAM, &params, invocations))
}
