//! Softmax, its logarithm, and hardmax.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::softmax::SoftmaxF32;

pub(in crate::ops) const PROGRAM: Program = Program::with_chain(
    "softmax_f32",
    &[include_str!("../../shaders/float/softmax.wgsl")],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    kind: u32,
    len: u32,
    inner: u32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, softmax: &SoftmaxF32) -> Option<Dispatch> {
    let params = Params {
        operand: at.operand(0)?,
        job: at.chained(None),
        kind: softmax.kind as u32,
        len: softmax.len as u32,
        inner: softmax.inner as u32,
    };
    let rows = softmax.outer * softmax.inner;
    Some(Dispatch::of_invocations(&PROGRAM, &params, rows))
}
