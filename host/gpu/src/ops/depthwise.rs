//! Depthwise convolution: any shape one element at a time; four channels at a time where input
//! and output have the same ones, a multiple of four.

use super::context::Packed;
use super::params::{Job, Shape, Store, Window, pack_channels};
use super::{Dispatch, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::conv2d::ConvConstants;
use microtome_kernels::reference::depthwise::Depthwise;
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program = Program::by_element(
    "depthwise",
    &[
        include_str!("../shaders/depthwise_params.wgsl"),
        include_str!("../shaders/depthwise.wgsl"),
    ],
);
pub(super) const PROGRAM_QUAD: Program = Program::by_quad(
    "depthwise_quad",
    &[
        include_str!("../shaders/depthwise_params.wgsl"),
        include_str!("../shaders/depthwise_quad.wgsl"),
    ],
);

/// Output channels whose weights lie together.
const BLOCK: usize = 4;

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    multiplier: u32,
    input_zero: i32,
    weights_at: u32,
    channels_at: u32,
    store: Store,
}

pub(super) fn dispatch(
    job: Job,
    conv: &Depthwise,
    input: ArenaAt,
    constants: &ConvConstants<'_>,
    packed: &mut Packed,
) -> Dispatch {
    let weights_at = packed.extend(pack_weights(conv.output.channels, constants.weights));
    let params = Params {
        job,
        input_at: byte(input),
        input: conv.input.into(),
        output: conv.output.into(),
        window: conv.window.into(),
        multiplier: conv.multiplier() as u32,
        input_zero: conv.input_zero.into(),
        weights_at,
        channels_at: pack_channels(constants, packed),
        store: conv.store.into(),
    };
    let quads = conv.multiplier() == 1 && conv.output.channels.is_multiple_of(BLOCK);
    Dispatch::of_quads(if quads { &PROGRAM_QUAD } else { &PROGRAM }, &params, &job)
}

/// The weights in the order of `depthwise_params.wgsl`.
fn pack_weights(channels: usize, weights: &[i8]) -> impl Iterator<Item = [u32; 4]> {
    weights
        .chunks(channels)
        .flat_map(|tap| tap.chunks(BLOCK))
        .map(|block| {
            let mut packed = [0; BLOCK];
            for (lane, &weight) in packed.iter_mut().zip(block) {
                *lane = i32::from(weight) as u32;
            }
            packed
        })
}
