//! Slices by indices.

use super::Programs;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use bytemuck::NoUninit;
use microtome_kernels::data::gather::Gather;

pub(in crate::ops) static PROGRAMS: Programs =
    super::programs!("gather", "../../shaders/data/gather.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    indices: Operand,
    axis_len: u32,
    inner: u32,
    indices_len: u32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, gather: &Gather) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        indices: if gather.constant {
            at.whole_constant(0)?
        } else {
            at.operand(1)?
        },
        axis_len: gather.axis_len as u32,
        inner: gather.inner as u32,
        indices_len: gather.indices_len as u32,
    };
    super::dispatch(&PROGRAMS, gather.element, &params, &at.job)
}
