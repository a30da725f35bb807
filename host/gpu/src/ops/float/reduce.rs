//! Reductions.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Axes, Job, Operand, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::reduce::ReduceF32;
use microtome_kernels::view::AXES;
use std::array;

pub(in crate::ops) const PROGRAM: Program = Program::by_float(
    "reduce_f32",
    &[
        include_str!("../../shaders/strided.wgsl"),
        include_str!("../../shaders/float/reduce.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    kind: u32,
    count: u32,
    kept: Axes,
    reduced: Axes,
    view: Strides,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, reduce: &ReduceF32) -> Option<Dispatch> {
    let sizes = |reduced: bool| -> [usize; AXES] {
        array::from_fn(|axis| match reduce.reduced[axis] == reduced {
            true => reduce.dims[axis],
            false => 1,
        })
    };
    let params = Params {
        job: at.chained(None),
        operand: at.operand(0)?,
        kind: reduce.kind as u32,
        count: sizes(true).iter().product::<usize>() as u32,
        kept: sizes(false).into(),
        reduced: sizes(true).into(),
        view: reduce.input.into(),
    };
    Some(Dispatch::of_elements(&PROGRAM, &params, &params.job))
}
