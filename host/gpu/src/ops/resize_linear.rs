//! Bilinear resize.

use super::Dispatch;
use super::context::At;
use super::params::{Job, Operand, Shape};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::resize::ResizeLinear;

pub(super) const PROGRAM: Program = Program::by_element(
    "resize_linear",
    &[include_str!("../shaders/resize_linear.wgsl")],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    rows: Operand,
    row_weights: Operand,
    columns: Operand,
    column_weights: Operand,
    input: Shape,
    output: Shape,
}

pub(super) fn dispatch(at: &mut At<'_>, resize: &ResizeLinear) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        rows: at.whole_constant(0)?,
        row_weights: at.whole_constant(1)?,
        columns: at.whole_constant(2)?,
        column_weights: at.whole_constant(3)?,
        input: resize.input.into(),
        output: resize.output.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
