//! Places of the largest or smallest.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::arg::ArgF32;

pub(in crate::ops) const PROGRAM: Program =
    Program::by_word("arg_f32", &[include_str!("../../shaders/float/arg.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    len: u32,
    inner: u32,
    maximum: u32,
    last: u32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, arg: &ArgF32) -> Option<Dispatch> {
    let params = Params {
        job: at.chained(None),
        operand: at.operand(0)?,
        len: arg.len as u32,
        inner: arg.inner as u32,
        maximum: u32::from(arg.maximum),
        last: u32::from(arg.last),
    };
    Some(Dispatch::of_elements(&PROGRAM, &params, &params.job))
}
