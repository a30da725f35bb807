//! Change of scale.

use super::params::{Factor, Job, Store};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::rescale::Rescale;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program =
    Program::by_element("rescale", &[include_str!("../shaders/rescale.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    zero: i32,
    factor: Factor,
    store: Store,
}

pub(super) fn dispatch(job: Job, rescale: &Rescale, input: ArenaAt) -> Dispatch {
    let params = Params {
        job,
        input_at: byte(input),
        zero: rescale.zero.into(),
        factor: rescale.factor.into(),
        store: rescale.store.into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
