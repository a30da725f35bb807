//! Functions of one and of two floats.

use crate::ops::Dispatch;
use crate::ops::chain::{self, Stage};
use crate::ops::context::At;
use crate::ops::params::{Axes, Job, Operand, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::binary::Binary;
use microtome_kernels::float::unary::Unary;
use microtome_kernels::view::{self, AXES};

pub(in crate::ops) const PROGRAM: Program = Program::by_float(
    "elementwise_f32",
    &[
        include_str!("../../shaders/strided.wgsl"),
        include_str!("../../shaders/float/elementwise.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    is_strided: u32,
    space: Axes,
    view: Strides,
}

pub(in crate::ops) fn unary(at: &mut At<'_>, op: &Unary) -> Option<Dispatch> {
    let operand = at.operand(0)?;
    let dims = [1, 1, 1, 1, 1, op.len];
    let view = view::Strides::row_major(dims);
    Some(of(at, operand, dims, view, chain::unary(&op.function)))
}

pub(in crate::ops) fn binary(at: &mut At<'_>, op: &Binary) -> Option<Dispatch> {
    let pair = &op.operands;
    let sources = super::sources(pair);
    let (a, b) = (at.read(&sources, 0)?, at.read(&sources, 1)?);
    let stage = chain::binary(op.kind, pair.dims, pair.b, b, false);
    Some(of(at, a, pair.dims, pair.a, stage))
}

fn of(
    at: &mut At<'_>,
    operand: Operand,
    dims: [usize; AXES],
    view: view::Strides,
    own: Stage,
) -> Dispatch {
    let params = Params {
        job: at.chained(Some(own)),
        operand,
        is_strided: u32::from(!view.is_row_major(dims)),
        space: dims.into(),
        view: view.into(),
    };
    Dispatch::of_elements(&PROGRAM, &params, &params.job)
}
