//! A table of outputs.

use super::Dispatch;
use super::context::At;
use super::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;

pub(super) const PROGRAM: Program =
    Program::by_element("lookup", &[include_str!("../shaders/lookup.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    table: Operand,
}

pub(super) fn dispatch(at: &mut At<'_>) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        table: at.whole_constant(0)?,
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
