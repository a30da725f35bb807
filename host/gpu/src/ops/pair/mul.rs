//! Product.

use super::Pair;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Factor, Job, Store};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::mul::Mul;

pub(in crate::ops) const PROGRAM: Program = super::program!("mul", "../../shaders/pair/mul.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    pair: Pair,
    zeros: [i32; 2],
    factor: Factor,
    store: Store,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, mul: &Mul) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        pair: Pair::of(at, &mul.broadcast)?,
        zeros: mul.zeros.map(i32::from),
        factor: mul.factor.into(),
        store: mul.store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
