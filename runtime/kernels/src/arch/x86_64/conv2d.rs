//! Convolution: bands of pixels whose input is staged once for all channels; in a band, one or two
//! blocks of sixteen channels at a time, and for these as many pixels as registers have room for.
//!
//! A dense layer, of one pixel, has only its input to share: four blocks are computed at a time.
//! Groups, other packings and windows too large for the room on the stack are left to [`generic`].

use super::PACKING;
use super::finish::{Block, Lanes, Room, Store};
use super::isa::{BYTES, Isa, LANES, Line, Work};
use super::stage::{Index, Stage, Staged, TAPS, raise};
use crate::arch::stack::Stack;
use crate::generic;
use crate::reference::conv2d::{Conv2d, ConvConstants};

/// Bytes of staged input on the stack.
const ROOM: usize = 1 << 15;
/// Blocks that become a vector of outputs.
const PIECES: usize = BYTES / LANES;

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d<I: Isa>(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    _scratch: &mut [u8],
    output: &mut [i8],
) {
    let mut stack = Line(Stack::<{ ROOM / size_of::<u32>() }>::new());
    let room = bytemuck::cast_slice_mut(stack.0.or(&mut []));
    within::<I>(params, constants, input, room, output);
}

/// The same with the input staged in `room`.
pub(super) fn within<I: Isa>(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    room: &mut [i8],
    output: &mut [i8],
) {
    if params.packing != PACKING || params.groups != 1 {
        return generic::conv2d::conv2d(params, constants, input, &mut [], output);
    }
    let layer = Layer {
        params,
        constants,
        pitch: PACKING.pitch(params.taps()),
    };
    if is_dense(params) && layer.pitch + BYTES <= room.len() {
        return I::enter(Dense {
            layer,
            input,
            room,
            output,
        });
    }
    match Stage::new(params, room.len()) {
        Some(stage) => I::enter(Bands {
            layer,
            stage,
            input,
            room,
            output,
        }),
        None => generic::conv2d::conv2d(params, constants, input, &mut [], output),
    }
}

/// Whether there is one output pixel, which reads the input as it lies.
fn is_dense(params: &Conv2d) -> bool {
    let (window, input, output) = (&params.window, params.input, params.output);
    let plain = window.pad == [0, 0] && window.dilation == [1, 1];
    plain && [input.height, input.width] == window.kernel && output.len() == output.channels
}

/// A convolution and its constants.
struct Layer<'a> {
    params: &'a Conv2d,
    constants: &'a ConvConstants<'a>,
    /// Taps of a channel in whole words.
    pitch: usize,
}

impl<'a> Layer<'a> {
    /// The weights of the block of channels that begins with `first`, a word of each at a time.
    #[inline(always)]
    fn weights(&self, first: usize) -> &'a [[i8; BYTES]] {
        let weights = &self.constants.weights[first * self.pitch..][..LANES * self.pitch];
        weights.as_chunks().0
    }

    #[inline(always)]
    fn block<I: Isa>(&self, first: usize) -> Block<I> {
        let mut room = Room::NEW;
        let lanes = Lanes::new(self.constants, first, &mut room);
        Block::new(lanes, self.params.store.zero)
    }
}

/// A layer of one pixel, which reads all of the input.
struct Dense<'a> {
    layer: Layer<'a>,
    input: &'a [i8],
    room: &'a mut [i8],
    output: &'a mut [i8],
}

impl Work for Dense<'_> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        // What pads the last word has weights of zero: what lies there does not matter.
        raise::<I>(self.input, self.room);
        let words = self.room.as_chunks().0;
        let words = &words[..self.layer.pitch / TAPS];
        let store = Store::<I>::new(self.layer.params.store);
        for (index, outputs) in self.output.chunks_mut(BYTES).enumerate() {
            let first = index * BYTES;
            let mut scaled = [I::splat32(0); PIECES];
            if I::WIDE && outputs.len() == BYTES {
                scaled = dense::<I, PIECES>(&self.layer, words, first);
            } else {
                let blocks = outputs.len().div_ceil(LANES);
                for (block, scaled) in scaled[..blocks].iter_mut().enumerate() {
                    [*scaled] = dense::<I, 1>(&self.layer, words, first + block * LANES);
                }
            }
            let bytes = I::by_place(store.bytes(scaled));
            // SAFETY: as many bytes as there are outputs, which are no more than a vector's.
            unsafe { I::store_part(outputs.as_mut_ptr(), outputs.len(), bytes) };
        }
    }
}

/// The scaled sums of `B` blocks of channels from `first` on, over the `words` of the input.
#[inline(always)]
fn dense<I: Isa, const B: usize>(
    layer: &Layer<'_>,
    words: &[[i8; TAPS]],
    first: usize,
) -> [I::Vector; B] {
    let mut weights = [layer.weights(first); B];
    for (block, weights) in weights.iter_mut().enumerate() {
        *weights = layer.weights(first + block * LANES);
        assert!(weights.len() >= words.len());
    }
    let raised = I::splat8(i8::MIN);
    let (mut sums, mut added) = ([I::splat32(0); B], [I::splat32(0); B]);
    for (group, word) in words.iter().enumerate() {
        // SAFETY: a word has four bytes.
        let word = unsafe { I::broadcast(word.as_ptr()) };
        for block in 0..B {
            // SAFETY: there are as many groups of weights as words.
            let weights = unsafe { I::load(weights[block].as_ptr().add(group).cast()) };
            sums[block] = I::dot(sums[block], word, weights);
            added[block] = I::dot(added[block], raised, weights);
        }
    }
    for block in 0..B {
        let finish = layer.block::<I>(first + block * LANES);
        let sum = I::add32(finish.bias, I::sub32(sums[block], added[block]));
        sums[block] = finish.scale(sum);
    }
    sums
}

/// A layer of several pixels.
struct Bands<'a> {
    layer: Layer<'a>,
    stage: Stage<'a>,
    input: &'a [i8],
    room: &'a mut [i8],
    output: &'a mut [i8],
}

impl Work for Bands<'_> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        let channels = self.layer.params.output.channels;
        let mut index = Index::new();
        let mut rest = self.output;
        for band in self.stage.bands() {
            let (outputs, tail) = rest.split_at_mut(band.pixels() * channels);
            rest = tail;
            let staged = self
                .stage
                .stage::<I>(self.input, &band, self.room, &mut index);
            let mut first = 0;
            while first < channels {
                if I::WIDE && first + LANES < channels {
                    tiles::<I, 6, 2>(&self.layer, &staged, first, outputs);
                    first += 2 * LANES;
                    continue;
                }
                if I::WIDE {
                    tiles::<I, 12, 1>(&self.layer, &staged, first, outputs);
                } else {
                    tiles::<I, 4, 1>(&self.layer, &staged, first, outputs);
                }
                first += LANES;
            }
        }
    }
}

/// The outputs of all pixels that are staged, of `B` blocks from the channel `first` on; `P` pixels
/// at a time.
#[inline(always)]
fn tiles<I: Isa, const P: usize, const B: usize>(
    layer: &Layer<'_>,
    staged: &Staged<'_>,
    first: usize,
    outputs: &mut [i8],
) {
    const { assert!((P * B).is_multiple_of(PIECES)) };
    let Layer { params, .. } = layer;
    let channels = params.output.channels;
    let store = Store::<I>::new(params.store);
    let mut weights = [layer.weights(first); B];
    let mut blocks = [layer.block::<I>(first); B];
    for block in 0..B {
        weights[block] = layer.weights(first + block * LANES);
        blocks[block] = layer.block(first + block * LANES);
        blocks[block].lower(weights[block].iter());
    }
    for pixel in (0..staged.places.len()).step_by(P) {
        let sums = sums::<I, P, B>(staged, pixel, weights, &blocks);
        let mut bytes = [[0_u128; B]; P];
        for quad in 0..P * B / PIECES {
            let mut scaled = [I::splat32(0); PIECES];
            for (piece, scaled) in scaled.iter_mut().enumerate() {
                let index = quad * PIECES + piece;
                *scaled = blocks[index % B].scale(sums[index / B][index % B]);
            }
            let vector = I::by_place(store.bytes(scaled));
            // SAFETY: the array has the bytes of all vectors, one after another.
            unsafe { I::store(bytes.as_mut_ptr().cast::<i8>().add(quad * BYTES), vector) };
        }
        for (index, bytes) in bytes.iter().enumerate() {
            let at = (pixel + index) * channels + first;
            // The last tile has fewer pixels.
            if at < outputs.len() {
                write(bytes, &mut outputs[at..], first, channels);
            }
        }
    }
}

/// Writes the outputs of a pixel's blocks from the channel `first` on to where `outputs` begins.
#[inline(always)]
fn write<const B: usize>(blocks: &[u128; B], outputs: &mut [i8], first: usize, channels: usize) {
    let len = B * LANES;
    // Where there are no blocks before, what is written beyond the channels is the next pixel's,
    // which is written later.
    if len <= outputs.len() && (first + len <= channels || first == 0) {
        let to = outputs.as_mut_ptr().cast::<u128>();
        for (block, bytes) in blocks.iter().enumerate() {
            // SAFETY: there are `len` outputs.
            unsafe { to.add(block).write_unaligned(*bytes) };
        }
        return;
    }
    let bytes: &[i8] = bytemuck::cast_slice(blocks);
    let len = len.min(channels - first);
    outputs[..len].copy_from_slice(&bytes[..len]);
}

/// The sums of `P` pixels that are staged from `pixel` on; where there are fewer, the last is there
/// again.
#[inline(always)]
fn sums<I: Isa, const P: usize, const B: usize>(
    staged: &Staged<'_>,
    pixel: usize,
    weights: [&[[i8; BYTES]]; B],
    blocks: &[Block<I>; B],
) -> [[I::Vector; B]; P] {
    let mut sums = [[I::splat32(0); B]; P];
    let mut places = [staged.bytes.as_ptr(); P];
    for index in 0..P {
        for block in 0..B {
            sums[index][block] = blocks[block].bias;
        }
        let place = staged.places[(pixel + index).min(staged.places.len() - 1)];
        // SAFETY: `Staged::check`: a place is within the bytes.
        places[index] = unsafe { places[index].add(place as usize) };
    }
    let groups = staged.runs.len() * staged.words;
    for weights in &weights {
        assert!(groups <= weights.len());
    }
    let mut group = 0;
    for &run in staged.runs {
        for word in 0..staged.words {
            let mut vectors = [I::splat32(0); B];
            for block in 0..B {
                // SAFETY: `group` is less than `groups`.
                vectors[block] = unsafe { I::load(weights[block].as_ptr().add(group).cast()) };
            }
            group += 1;
            for index in 0..P {
                // SAFETY: `Staged::check`: every word of every run of a pixel is within the bytes.
                let word = unsafe { I::broadcast(places[index].add(run as usize + word * TAPS)) };
                for block in 0..B {
                    sums[index][block] = I::dot(sums[index][block], word, vectors[block]);
                }
            }
        }
    }
    sums
}
