//! Clamp.

use super::params::Job;
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::clamp::Clamp;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program =
    Program::by_element("clamp", &[include_str!("../shaders/clamp.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    low: i32,
    high: i32,
}

pub(super) fn dispatch(job: Job, clamp: &Clamp, input: ArenaAt) -> Dispatch {
    let params = Params {
        job,
        input_at: byte(input),
        low: clamp.min.into(),
        high: clamp.max.into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
