//! Maximum pool.

use super::params::{Job, Shape, Window};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::max_pool::MaxPool;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program =
    Program::by_element("max_pool", &[include_str!("../shaders/max_pool.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    low: i32,
    high: i32,
}

pub(super) fn dispatch(job: Job, pool: &MaxPool, input: ArenaAt) -> Dispatch {
    let params = Params {
        job,
        input_at: byte(input),
        input: pool.input.into(),
        output: pool.output.into(),
        window: pool.window.into(),
        low: pool.min.into(),
        high: pool.max.into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
