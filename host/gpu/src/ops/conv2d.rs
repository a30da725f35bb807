//! Convolution: any shape one element at a time; four output channels of four pixels at a time
//! where the output channels of a group are a multiple of four.

use super::context::Packed;
use super::params::{Job, Shape, Store, Window, pack_channels};
use super::{Dispatch, WORD_BYTES, byte};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::reference::conv2d::{Conv2d, ConvConstants};
use microtome_plan::ArenaAt;

pub(super) const PROGRAM: Program = Program::by_element(
    "conv2d",
    &[
        include_str!("../shaders/conv2d_params.wgsl"),
        include_str!("../shaders/conv2d.wgsl"),
    ],
);
pub(super) const PROGRAM_TILE: Program = Program::whole(
    "conv2d_tile",
    &[
        include_str!("../shaders/conv2d_params.wgsl"),
        include_str!("../shaders/conv2d_tile.wgsl"),
    ],
);

/// Output channels whose weights lie together.
const BLOCK: usize = 4;
/// Pixels that an invocation of [`PROGRAM_TILE`] computes.
const TILE_PIXELS: usize = 4;

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    input_at: u32,
    input_last: u32,
    input: Shape,
    output: Shape,
    window: Window,
    group_inputs: u32,
    group_outputs: u32,
    padding: u32,
    weights_at: u32,
    channels_at: u32,
    store: Store,
}

pub(super) fn dispatch(
    job: Job,
    conv: &Conv2d,
    input: ArenaAt,
    constants: &ConvConstants<'_>,
    packed: &mut Packed,
) -> Dispatch {
    let group_outputs = conv.output.channels / conv.groups;
    let weights_at = packed.extend(pack_weights(conv, constants.weights));
    let params = Params {
        job,
        input_at: byte(input),
        input_last: (input.span(conv.input.len()).end - 1) as u32,
        input: conv.input.into(),
        output: conv.output.into(),
        window: conv.window.into(),
        group_inputs: conv.group_channels() as u32,
        group_outputs: group_outputs as u32,
        padding: u32::from_le_bytes([conv.input_zero as u8; WORD_BYTES]),
        weights_at,
        channels_at: pack_channels(constants, packed),
        store: conv.store.into(),
    };
    if group_outputs.is_multiple_of(BLOCK) {
        let tiles = (conv.output.height * conv.output.width).div_ceil(TILE_PIXELS);
        let invocations = tiles * (conv.output.channels / BLOCK);
        Dispatch::of_invocations(&PROGRAM_TILE, &params, invocations)
    } else {
        Dispatch::of_quads(&PROGRAM, &params, &job)
    }
}

/// The weights in the order of `conv2d_params.wgsl`.
fn pack_weights(conv: &Conv2d, weights: &[i8]) -> impl Iterator<Item = [u32; 4]> {
    let depth = conv.group_channels();
    let [rows, columns] = conv.window.kernel;
    // The weights of one output channel are `pixels` runs of `depth`.
    let (pixels, words) = (rows * columns, depth.div_ceil(WORD_BYTES));
    let word = move |channel: usize, pixel: usize, word: usize| {
        let run = (channel * pixels + pixel) * depth;
        let bytes = weights.get(run..run + depth).unwrap_or_default().iter();
        let mut packed = [0; WORD_BYTES];
        for (byte, &weight) in packed.iter_mut().zip(bytes.skip(word * WORD_BYTES)) {
            *byte = weight as u8;
        }
        u32::from_le_bytes(packed)
    };
    let blocks = conv.output.channels.div_ceil(BLOCK);
    (0..pixels * words * blocks).map(move |index| {
        let (run, block) = (index / blocks, index % blocks);
        [0, 1, 2, 3].map(|lane| word(block * BLOCK + lane, run / words, run % words))
    })
}
