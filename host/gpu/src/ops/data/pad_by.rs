//! Padding.

use super::Programs;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Axes, Job, Operand};
use bytemuck::NoUninit;
use microtome_kernels::data::pad_by::{Fill, PadBy};

pub(in crate::ops) static PROGRAMS: Programs =
    super::programs!("pad_by", "../../shaders/data/pad_by.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    value: Operand,
    fill_kind: u32,
    input: Axes,
    output: Axes,
    before: Axes,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, pad: &PadBy) -> Option<Dispatch> {
    let (fill_kind, value) = match pad.fill {
        Fill::Value(value) => (0, value),
        Fill::Edge => (1, [0; 4]),
        Fill::Reflect => (2, [0; 4]),
        Fill::Wrap => (3, [0; 4]),
    };
    let params = Params {
        job: at.job,
        operand: at.operand(0)?,
        value: at.packed.share(&value),
        fill_kind,
        input: pad.input.into(),
        output: pad.output.into(),
        before: pad.before.into(),
    };
    super::dispatch(&PROGRAMS, pad.element, &params, &at.job)
}
