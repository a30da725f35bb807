//! Layer and RMS norm.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::norm::{NormF32, NormKind};
use microtome_kernels::float::source::Source;

pub(in crate::ops) const PROGRAM: Program =
    Program::with_chain("norm_f32", &[include_str!("../../shaders/float/norm.wgsl")]);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    gamma: Operand,
    beta: Operand,
    has_gamma: u32,
    has_beta: u32,
    is_rms: u32,
    len: u32,
    epsilon: f32,
}

/// The dispatch; `None` where the moments are wanted too.
pub(in crate::ops) fn dispatch(at: &mut At<'_>, norm: &NormF32) -> Option<Dispatch> {
    if norm.moments {
        return None;
    }
    let operand = at.operand(0)?;
    let sources = [Source::Operand, norm.gamma, norm.beta];
    let (gamma, beta) = (at.read(&sources, 1), at.read(&sources, 2));
    let params = Params {
        job: at.chained(None),
        operand,
        gamma: gamma.unwrap_or(operand),
        beta: beta.unwrap_or(operand),
        has_gamma: u32::from(gamma.is_some()),
        has_beta: u32::from(beta.is_some()),
        is_rms: u32::from(norm.kind == NormKind::Rms),
        len: norm.len as u32,
        epsilon: norm.epsilon,
    };
    Some(Dispatch::of_invocations(&PROGRAM, &params, norm.rows))
}
