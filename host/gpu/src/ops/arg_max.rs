//! Places of the largest or smallest.

use super::Dispatch;
use super::context::At;
use super::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::arg_max::ArgMax;

pub(super) const PROGRAM: Program =
    Program::by_word("arg_max", &[include_str!("../shaders/arg_max.wgsl")]);

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

pub(super) fn dispatch(at: &mut At<'_>, arg: &ArgMax) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        len: arg.len as u32,
        inner: arg.inner as u32,
        maximum: u32::from(arg.maximum),
        last: u32::from(arg.last),
    };
    Some(Dispatch::of_elements(&PROGRAM, &params, &at.job))
}
