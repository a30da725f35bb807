//! Constant padding.

use super::params::{Job, Shape};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::pad::Pad;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program =
    Program::by_element("pad", &[include_str!("../shaders/pad.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    before: [u32; 3],
    value: i32,
}

pub(super) fn dispatch(job: Job, pad: &Pad, input: ArenaAt) -> Dispatch {
    let params = Params {
        job,
        input_at: byte(input),
        input: pad.input.into(),
        output: pad.output.into(),
        before: pad.before.map(|count| count as u32),
        value: pad.value.into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
