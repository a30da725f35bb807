//! Parametric ReLU.

use super::Dispatch;
use super::context::At;
use super::params::{Axes, Factor, Job, Operand, Store, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::prelu::PRelu;

pub(super) const PROGRAM: Program = Program::by_element(
    "prelu",
    &[
        include_str!("../shaders/strided.wgsl"),
        include_str!("../shaders/prelu.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    slopes: Operand,
    space: Axes,
    view: Strides,
    slopes_view: Strides,
    zero: i32,
    positive: Factor,
    negative: Factor,
    store: Store,
}

pub(super) fn dispatch(at: &mut At<'_>, prelu: &PRelu) -> Option<Dispatch> {
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        slopes: at.whole_constant(0)?,
        space: prelu.broadcast.dims.into(),
        view: prelu.broadcast.a.into(),
        slopes_view: prelu.broadcast.b.into(),
        zero: prelu.zero.into(),
        positive: prelu.positive.into(),
        negative: prelu.negative.into(),
        store: prelu.store.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &at.job))
}
