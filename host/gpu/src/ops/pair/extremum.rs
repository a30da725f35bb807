//! The larger or the smaller one.

use super::Pair;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::Job;
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::extremum::Extremum;

pub(in crate::ops) const PROGRAM: Program =
    super::program!("extremum", "../../shaders/pair/extremum.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    pair: Pair,
    maximum: u32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, extremum: &Extremum) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        pair: Pair::of(at, &extremum.broadcast)?,
        maximum: u32::from(extremum.maximum),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
