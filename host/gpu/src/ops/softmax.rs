//! Softmax.

use super::params::{Factor, Job};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::num::Multiplier;
use microtome_kernels::reference::softmax::Softmax;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program =
    Program::by_quad("softmax", &[include_str!("../shaders/softmax.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    depth: u32,
    diff_min: i32,
    factor: Factor,
}

pub(super) fn dispatch(job: Job, softmax: &Softmax, input: ArenaAt) -> Dispatch {
    let params = Params {
        job,
        input_at: byte(input),
        depth: softmax.depth as u32,
        diff_min: softmax.diff_min,
        factor: Multiplier {
            mantissa: softmax.mantissa,
            shift: softmax.shift as i8,
        }
        .into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
