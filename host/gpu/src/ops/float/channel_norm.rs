//! Instance and group norm.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::channel_norm::ChannelNorm;
use microtome_kernels::float::source::Source;

pub(in crate::ops) const PROGRAM: Program = Program::with_chain(
    "channel_norm_f32",
    &[include_str!("../../shaders/float/channel_norm.wgsl")],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    operand: Operand,
    gamma: Operand,
    beta: Operand,
    has_gamma: u32,
    has_beta: u32,
    pixels: u32,
    channels: u32,
    groups: u32,
    channel_step: u32,
    pixel_step: u32,
    epsilon: f32,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, norm: &ChannelNorm) -> Option<Dispatch> {
    let operand = at.operand(0)?;
    let sources = [Source::Operand, norm.gamma, norm.beta];
    let (gamma, beta) = (at.read(&sources, 1), at.read(&sources, 2));
    let (pixels, channels) = (norm.pixels as u32, norm.channels as u32);
    let [channel_step, pixel_step] = match norm.channels_last {
        true => [1, channels],
        false => [pixels, 1],
    };
    let params = Params {
        job: at.chained(None),
        operand,
        gamma: gamma.unwrap_or(operand),
        beta: beta.unwrap_or(operand),
        has_gamma: u32::from(gamma.is_some()),
        has_beta: u32::from(beta.is_some()),
        pixels,
        channels,
        groups: norm.groups as u32,
        channel_step,
        pixel_step,
        epsilon: norm.epsilon,
    };
    Some(Dispatch::of_invocations(&PROGRAM, &params, norm.groups))
}
