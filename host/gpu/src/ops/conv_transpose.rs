//! Transposed convolution.

use super::Dispatch;
use super::context::At;
use super::params::{Job, Operand, Shape, Store, Window, pack_channels};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::conv_transpose::ConvTranspose;
use microtome_kernels::reference::conv2d::ConvConstants;

pub(super) const PROGRAM: Program = Program::by_element(
    "conv_transpose",
    &[include_str!("../shaders/conv_transpose.wgsl")],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    weights: Operand,
    input: Shape,
    output: Shape,
    window: Window,
    group_inputs: u32,
    group_outputs: u32,
    input_zero: i32,
    channels_at: u32,
    store: Store,
}

pub(super) fn dispatch(at: &mut At<'_>, conv: &ConvTranspose) -> Option<Dispatch> {
    let constants = at.plan.step_constants(at.step);
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        weights: at.whole_constant(0)?,
        input: conv.input.into(),
        output: conv.output.into(),
        window: conv.window.into(),
        group_inputs: conv.group_channels() as u32,
        group_outputs: (conv.output.channels / conv.groups) as u32,
        input_zero: conv.input_zero.into(),
        channels_at: pack_channels(&ConvConstants::of(&constants), at.packed),
        store: conv.store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
