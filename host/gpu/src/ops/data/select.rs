//! One of two operands.

use super::Programs;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Axes, Job, Operand, Strides};
use bytemuck::NoUninit;
use microtome_kernels::data::select::Select;

pub(in crate::ops) static PROGRAMS: Programs =
    super::programs!("select", "../../shaders/data/select.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    condition: Operand,
    a: Operand,
    b: Operand,
    space: Axes,
    condition_view: Strides,
    a_view: Strides,
    b_view: Strides,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, select: &Select) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        condition: at.operand(0)?,
        a: at.operand(1)?,
        b: at.operand(2)?,
        space: select.dims.into(),
        condition_view: select.condition.into(),
        a_view: select.a.into(),
        b_view: select.b.into(),
    };
    super::dispatch(&PROGRAMS, select.element, &params, &at.job)
}
