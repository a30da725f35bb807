//! Between floats and int8.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::quantize::{Dequantize, Quantize, Scaling};

pub(in crate::ops) const QUANTIZE: Program = Program::by_element(
    "quantize",
    &[
        include_str!("../../shaders/math.wgsl"),
        include_str!("../../shaders/float/scaling.wgsl"),
        include_str!("../../shaders/float/quantize.wgsl"),
    ],
);
pub(in crate::ops) const DEQUANTIZE: Program = Program::by_float(
    "dequantize",
    &[
        include_str!("../../shaders/float/scaling.wgsl"),
        include_str!("../../shaders/float/dequantize.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    scales: Operand,
    zeros: Operand,
    channels: u32,
    inner: u32,
}

pub(in crate::ops) fn quantize(at: &mut At<'_>, op: &Quantize) -> Option<Dispatch> {
    let params = params(at, &op.scaling)?;
    Some(Dispatch::of_quads(&QUANTIZE, &params, &params.job))
}

pub(in crate::ops) fn dequantize(at: &mut At<'_>, op: &Dequantize) -> Option<Dispatch> {
    let params = params(at, &op.scaling)?;
    Some(Dispatch::of_elements(&DEQUANTIZE, &params, &params.job))
}

fn params(at: &mut At<'_>, scaling: &Scaling) -> Option<Params> {
    Some(Params {
        job: at.chained(None),
        operand: at.operand(0)?,
        scales: at.whole_constant(0)?,
        zeros: at.whole_constant(1)?,
        channels: scaling.channels as u32,
        inner: scaling.inner as u32,
    })
}
