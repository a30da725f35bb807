//! Comparison.

use super::Pair;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Factor, Job};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::compare::Compare;

pub(in crate::ops) const PROGRAM: Program =
    super::program!("compare", "../../shaders/pair/compare.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    pair: Pair,
    relation: u32,
    zeros: [i32; 2],
    factors: [Factor; 2],
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, compare: &Compare) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        pair: Pair::of(at, &compare.broadcast)?,
        relation: compare.relation as u32,
        zeros: compare.zeros.map(i32::from),
        factors: compare.factors.map(Factor::from),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
