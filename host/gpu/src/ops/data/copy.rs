//! Copy of a strided view.

use super::Programs;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Axes, Job, Operand, Strides};
use bytemuck::NoUninit;
use microtome_kernels::data::copy::Copy as CopyView;

pub(in crate::ops) static PROGRAMS: Programs =
    super::programs!("copy", "../../shaders/data/copy.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    space: Axes,
    view: Strides,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, copy: &CopyView) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        space: copy.dims.into(),
        view: copy.input.into(),
    };
    super::dispatch(&PROGRAMS, copy.element, &params, &at.job)
}
