//! Addition and subtraction of any shapes; the plain one has a program of its own.

use super::Pair;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Factor, Job, Store};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::add::Add;

pub(in crate::ops) const PROGRAM: Program =
    super::program!("add_broadcast", "../../shaders/pair/add.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    pair: Pair,
    subtract: u32,
    zeros: [i32; 2],
    factors: [Factor; 2],
    factor: Factor,
    store: Store,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, add: &Add) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        pair: Pair::of(at, &add.broadcast)?,
        subtract: u32::from(add.subtract),
        zeros: add.zeros.map(i32::from),
        factors: add.factors.map(Factor::from),
        factor: add.factor.into(),
        store: add.store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
