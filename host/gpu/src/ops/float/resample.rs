//! Resampling of one axis.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::resample::ResampleF32;

pub(in crate::ops) const PROGRAM: Program = Program::by_float(
    "resample_f32",
    &[include_str!("../../shaders/float/resample.wgsl")],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    places: Operand,
    weights: Operand,
    in_len: u32,
    out_len: u32,
    inner: u32,
    taps: u32,
    outside: f32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, resample: &ResampleF32) -> Option<Dispatch> {
    let params = Params {
        job: at.chained(None),
        operand: at.operand(0)?,
        places: at.whole_constant(0)?,
        weights: at.whole_constant(1)?,
        in_len: resample.in_len as u32,
        out_len: resample.out_len as u32,
        inner: resample.inner as u32,
        taps: resample.taps as u32,
        outside: resample.outside,
    };
    Some(Dispatch::of_elements(&PROGRAM, &params, &params.job))
}
