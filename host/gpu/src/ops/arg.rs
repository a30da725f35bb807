//! Places of the largest or smallest, of int8 or floats.

use super::Dispatch;
use super::context::At;
use super::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::arg::ArgF32;
use microtome_kernels::reference::arg_max::ArgMax;

pub(super) const PROGRAM: Program = Program::by_word("arg", &[include_str!("../shaders/arg.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    is_int8: u32,
    len: u32,
    inner: u32,
    maximum: u32,
    last: u32,
}

pub(super) fn of_int8(at: &mut At<'_>, arg: &ArgMax) -> Option<Dispatch> {
    dispatch(at, true, [arg.len, arg.inner], [arg.maximum, arg.last])
}

pub(super) fn of_floats(at: &mut At<'_>, arg: &ArgF32) -> Option<Dispatch> {
    dispatch(at, false, [arg.len, arg.inner], [arg.maximum, arg.last])
}

fn dispatch(
    at: &mut At<'_>,
    is_int8: bool,
    [len, inner]: [usize; 2],
    [maximum, last]: [bool; 2],
) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        is_int8: u32::from(is_int8),
        len: len as u32,
        inner: inner as u32,
        maximum: u32::from(maximum),
        last: u32::from(last),
    };
    Some(Dispatch::of_elements(&PROGRAM, &params, &at.job))
}
