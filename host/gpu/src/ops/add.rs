//! Addition.

use super::params::{Factor, Job, Store};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::add::Add;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program =
    Program::by_element("add", &[include_str!("../shaders/add.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    at: [u32; 2],
    zeros: [i32; 2],
    a_factor: Factor,
    b_factor: Factor,
    factor: Factor,
    store: Store,
}

pub(super) fn dispatch(job: Job, add: &Add, a: ArenaAt, b: ArenaAt) -> Dispatch {
    let params = Params {
        job,
        at: [byte(a), byte(b)],
        zeros: add.zeros.map(i32::from),
        a_factor: add.factors[0].into(),
        b_factor: add.factors[1].into(),
        factor: add.factor.into(),
        store: add.store.into(),
    };
    Dispatch::of_quads(&PROGRAM, &params, &job)
}
