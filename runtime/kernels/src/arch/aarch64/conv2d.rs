//! Convolution: patches of four output pixels, side by side, times blocks of sixteen channels.

use super::PACKING;
use super::dot::{Dot, TAPS, TILE};
use super::finish::{Finish, LANES, Sums};
use crate::arch::patch::collect;
use crate::arch::stack::Stack;
use crate::generic;
use crate::reference::conv2d::{Conv2d, ConvConstants};
use core::array;

/// Words of patches on the stack where the arena has no scratch for them: 4096 taps each.
const STACK_WORDS: usize = 4096;

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d<D: Dot>(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let pitch = PACKING.pitch(params.taps());
    if params.packing != PACKING || params.groups != 1 {
        return generic::conv2d::conv2d(params, constants, input, scratch, output);
    }
    if is_contiguous(params) {
        let depth = params.input.channels;
        let width = params.output.width;
        let place = |pixel: usize| pixel / width * params.input.width + pixel % width;
        return tiles(params, output, |pixels, outputs| {
            let patches = pixels.map(|pixel| &input[place(pixel) * depth..][..depth]);
            blocks::<D>(params, constants, patches, outputs);
        });
    }
    let mut stack = Stack::<STACK_WORDS>::new();
    let room: &mut [i8] = bytemuck::cast_slice_mut(stack.or(scratch));
    let Some(buffer) = room.get_mut(..TILE * pitch) else {
        return generic::conv2d::conv2d(params, constants, input, &mut [], output);
    };
    // A tile may have fewer pixels; what is there instead is not used.
    buffer.fill(0);
    let (channels, width) = (params.output.channels, params.output.width);
    tiles(params, output, |pixels, outputs| {
        let count = outputs.len() / channels;
        for (patch, &pixel) in buffer.chunks_exact_mut(pitch).zip(&pixels[..count]) {
            let at = [pixel / width, pixel % width];
            let copy = |from: &[i8], to: &mut [i8]| to.copy_from_slice(from);
            collect(
                params.input,
                &params.window,
                params.input_zero,
                input,
                at,
                patch,
                copy,
            );
        }
        let patches = array::from_fn(|index| &buffer[index * pitch..][..pitch]);
        blocks::<D>(params, constants, patches, outputs);
    });
}

/// Whether each output pixel reads the input pixel at its place, in whole groups of taps.
fn is_contiguous(params: &Conv2d) -> bool {
    let window = &params.window;
    let pointwise = window.kernel == [1, 1] && window.stride == [1, 1] && window.pad == [0, 0];
    pointwise && params.input.channels.is_multiple_of(TAPS)
}

/// Gives `each` the output by tiles, with the pixels that they are; the last may have less
/// outputs than pixels, of which the last is then there again.
fn tiles(params: &Conv2d, output: &mut [i8], mut each: impl FnMut([usize; TILE], &mut [i8])) {
    let channels = params.output.channels;
    let last = output.len() / channels - 1;
    for (tile, outputs) in output.chunks_mut(TILE * channels).enumerate() {
        each(
            array::from_fn(|index| last.min(tile * TILE + index)),
            outputs,
        );
    }
}

/// Writes the outputs of a tile, or of as many of its pixels as `outputs` has room for.
fn blocks<D: Dot>(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    patches: [&[i8]; TILE],
    outputs: &mut [i8],
) {
    let channels = params.output.channels;
    let block = LANES * PACKING.pitch(params.taps());
    for (index, weights) in constants.weights.chunks_exact(block).enumerate() {
        let first = index * LANES;
        let count = LANES.min(channels - first);
        let finish = Finish::new(constants, first, params.store);
        let alone = outputs.len() == channels;
        let mut write = |sums: &[Sums]| {
            for (&sums, outputs) in sums.iter().zip(outputs.chunks_exact_mut(channels)) {
                finish.write(sums, &mut outputs[first..first + count]);
            }
        };
        if alone {
            write(&[D::one(weights, patches[0])]);
        } else {
            write(&D::tile(weights, patches));
        }
    }
}
