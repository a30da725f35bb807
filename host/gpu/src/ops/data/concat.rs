//! Operands one after another.

use super::Programs;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use bytemuck::NoUninit;
use microtome_kernels::data::concat::Concat;
use microtome_kernels::operator::OPERANDS_MAX;

pub(in crate::ops) static PROGRAMS: Programs =
    super::programs!("concat", "../../shaders/data/concat.wgsl");

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    whole: u32,
    inner: [u32; OPERANDS_MAX],
    operands: [Operand; OPERANDS_MAX],
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, concat: &Concat) -> Option<Dispatch> {
    let mut operands = [at.operand(0)?; OPERANDS_MAX];
    for (index, operand) in operands.iter_mut().enumerate().take(at.step.inputs.len()) {
        *operand = at.operand(index)?;
    }
    let params = Params {
        job: at.job,
        whole: concat.inner.iter().sum::<usize>() as u32,
        inner: concat.inner.map(|inner| inner as u32),
        operands,
    };
    super::dispatch(&PROGRAMS, concat.element, &params, &at.job)
}
