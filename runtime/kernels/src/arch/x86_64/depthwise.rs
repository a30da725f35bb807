//! Depthwise convolution with one output channel an input channel, 64 sums at a time: those of 64
//! channels of a pixel, or of all channels of neighbouring pixels where channels are few.
//!
//! Four taps of a row make a word of each sum, so that a dot product of bytes adds four products.
//! The words of an input row are made once for all output rows that read it, in a ring of as many
//! rows as the window is high. Other depthwise layers are left to [`generic`].

use super::finish::{self, Block, Room, Store};
use super::isa::{BYTES, Isa, LANES, Line, Work};
use crate::arch::stack::Stack;
use crate::generic;
use crate::reference::conv2d::ConvConstants;
use crate::reference::depthwise::Depthwise;
use core::ops::Range;

/// Bytes of the ring, a staged row and weights on the stack.
const ROOM: usize = 1 << 16;
/// Taps of a word.
const TAPS: usize = 4;
/// Most rows of a window.
const ROWS_MAX: usize = 16;
/// Vectors of a word of each of 64 sums.
const QUADS: usize = BYTES / LANES;
/// Bytes of them.
const WORDS: usize = QUADS * BYTES;

/// As [`crate::reference::depthwise::depthwise`].
pub fn depthwise<I: Isa>(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    _scratch: &mut [u8],
    output: &mut [i8],
) {
    let mut stack = Line(Stack::<{ ROOM / size_of::<u32>() }>::new());
    let room = bytemuck::cast_slice_mut(stack.0.or(&mut []));
    within::<I>(params, constants, input, room, output);
}

/// The same in `room`.
pub(super) fn within<I: Isa>(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    room: &mut [i8],
    output: &mut [i8],
) {
    match Layout::new(params, room.len()) {
        Some(layout) => I::enter(Layer {
            params,
            constants,
            layout,
            input,
            room,
            output,
        }),
        None => generic::depthwise::depthwise(params, constants, input, &mut [], output),
    }
}

/// How a layer is cut.
#[derive(Clone, Copy)]
struct Layout {
    /// Output pixels of a vector.
    pixels: usize,
    /// Bytes of a staged pixel.
    pitch: usize,
    /// Words of a row of the window.
    groups: usize,
    /// Rows of the ring.
    rows: usize,
    /// Vectors of an output row that are computed together.
    vectors: usize,
}

impl Layout {
    /// `None` where the room is too small, or the layer is none of these.
    fn new(params: &Depthwise, room: usize) -> Option<Self> {
        let (window, channels) = (&params.window, params.output.channels);
        if params.multiplier() != 1 || window.kernel[0] > ROWS_MAX {
            return None;
        }
        let pixels = (BYTES / channels).max(1);
        let mut layout = Self {
            pixels,
            pitch: if pixels > 1 { channels } else { BYTES },
            groups: window.kernel[1].div_ceil(TAPS),
            rows: (window.kernel[0] - 1) * window.dilation[0] + 1,
            vectors: params.output.width.div_ceil(pixels),
        };
        while layout.weights(params) + layout.ring() + layout.staged(params) > room {
            if layout.vectors == 1 {
                return None;
            }
            layout.vectors = layout.vectors.div_ceil(2);
        }
        Some(layout)
    }

    /// Bytes of the weights of a block of channels.
    fn weights(&self, params: &Depthwise) -> usize {
        params.window.kernel[0] * self.groups * WORDS
    }

    /// Bytes of the ring.
    fn ring(&self) -> usize {
        self.rows * self.line()
    }

    /// Bytes of a row of the ring.
    fn line(&self) -> usize {
        self.vectors * self.groups * WORDS
    }

    /// Bytes of a staged row. Columns whose number has the same rest by the stride lie side by
    /// side, so that what the pixels of a vector read at one tap is one run.
    fn staged(&self, params: &Depthwise) -> usize {
        params.window.stride[1] * self.phase(params)
    }

    /// Bytes of the columns whose number has the same rest by the stride.
    fn phase(&self, params: &Depthwise) -> usize {
        let window = &params.window;
        let reach = (window.kernel[1] - 1) * window.dilation[1] / window.stride[1];
        (self.vectors * self.pixels + reach) * self.pitch + BYTES
    }
}

/// A layer and its operands.
struct Layer<'a> {
    params: &'a Depthwise,
    constants: &'a ConvConstants<'a>,
    layout: Layout,
    input: &'a [i8],
    room: &'a mut [i8],
    output: &'a mut [i8],
}

impl Work for Layer<'_> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { params, layout, .. } = self;
        let (weights, rest) = self.room.split_at_mut(layout.weights(params));
        let (ring, staged) = rest.split_at_mut(layout.ring());
        let (channels, width) = (params.output.channels, params.output.width);
        let store = Store::<I>::new(params.store);
        for first in (0..channels).step_by(BYTES) {
            let block = first..channels.min(first + BYTES);
            let finishes = prepare::<I>(params, self.constants, layout, block.clone(), weights);
            for column in (0..width).step_by(layout.vectors * layout.pixels) {
                let columns = column..width.min(column + layout.vectors * layout.pixels);
                let mut strip = Strip {
                    params,
                    layout,
                    block: block.clone(),
                    columns,
                    next: 0,
                };
                for row in 0..params.output.height {
                    strip.fill::<I>(row, self.input, staged, ring);
                    strip.row::<I>(row, ring, weights, &finishes, &store, self.output);
                }
            }
        }
    }
}

/// Writes the weights of the channels of `block` as the inner loop reads them to `words`; returns
/// what becomes of the sums, whose order is that of the words.
#[inline(always)]
fn prepare<I: Isa>(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    layout: Layout,
    block: Range<usize>,
    words: &mut [i8],
) -> [Block<I>; QUADS] {
    let [rows, columns] = params.window.kernel;
    let channels = params.output.channels;
    let count = block.len();
    let mut next = words.chunks_exact_mut(WORDS);
    for row in 0..rows {
        for group in 0..layout.groups {
            let mut taps = [[0; BYTES]; TAPS];
            for (tap, lanes) in taps.iter_mut().enumerate() {
                let column = group * TAPS + tap;
                if column >= columns {
                    continue;
                }
                let weights = &constants.weights[(row * columns + column) * channels..];
                for lanes in lanes.chunks_exact_mut(count).take(layout.pixels) {
                    lanes.copy_from_slice(&weights[block.clone()]);
                }
            }
            if let Some(words) = next.next() {
                let mut vectors = [I::splat8(0); TAPS];
                for (vector, lanes) in vectors.iter_mut().zip(&taps) {
                    *vector = finish::vector::<I, _, _>(lanes);
                }
                write_words::<I>(finish::interleave::<I>(vectors), words);
            }
        }
    }
    // The channels of all bytes, as weights have them.
    let mut channels = [block.end; BYTES];
    for lanes in channels.chunks_exact_mut(count).take(layout.pixels) {
        for (lane, channel) in lanes.iter_mut().zip(block.clone()) {
            *lane = channel;
        }
    }
    let words = words.as_chunks::<BYTES>().0;
    let mut finishes = [Block::new(Room::NEW.lanes(), 0); QUADS];
    for (quad, finish) in finishes.iter_mut().enumerate() {
        let mut lanes = Room::NEW;
        for lane in 0..LANES {
            // Each quarter of a vector of words has four bytes of each tap's.
            let channel = channels[lane / QUADS * LANES + quad * QUADS + lane % QUADS];
            if channel < block.end {
                lanes.bias[lane] = constants.bias[channel];
                lanes.mantissas[lane] = constants.mantissas[channel];
                lanes.shifts[lane] = constants.shifts[channel];
            }
        }
        *finish = Block::new(lanes.lanes(), params.store.zero);
        finish.lower(words.iter().skip(quad).step_by(QUADS));
    }
    finishes
}

/// Writes words to `to`, [`WORDS`] long.
#[inline(always)]
fn write_words<I: Isa>(words: [I::Vector; QUADS], to: &mut [i8]) {
    assert!(to.len() >= WORDS);
    for (quad, words) in words.into_iter().enumerate() {
        // SAFETY: `to` has the bytes of four vectors.
        unsafe { I::store(to.as_mut_ptr().add(quad * BYTES), words) };
    }
}

/// Columns of the output, of a block of channels.
struct Strip<'a> {
    params: &'a Depthwise,
    layout: Layout,
    block: Range<usize>,
    columns: Range<usize>,
    /// The first padded input row that is not in the ring yet.
    next: usize,
}

impl Strip<'_> {
    /// Completes the ring with the input rows that output row `row` reads.
    #[inline(always)]
    fn fill<I: Isa>(&mut self, row: usize, input: &[i8], staged: &mut [i8], ring: &mut [i8]) {
        let (params, layout) = (self.params, self.layout);
        let first = row * params.window.stride[0];
        for row in self.next.max(first)..first + layout.rows {
            let line = &mut ring[row % layout.rows * layout.line()..][..layout.line()];
            let y = row.wrapping_sub(params.window.pad[0]);
            if y < params.input.height {
                let pixels = params.input.width * params.input.channels;
                self.stage::<I>(&input[y * pixels..], staged);
                self.interleave::<I>(staged, line);
            } else {
                line.fill(params.input_zero ^ i8::MIN);
            }
        }
        self.next = first + layout.rows;
    }

    /// Copies the columns of an input row that are read to `staged`, by their rest by the stride.
    #[inline(always)]
    fn stage<I: Isa>(&self, input: &[i8], staged: &mut [i8]) {
        let Self {
            params,
            layout,
            block,
            ..
        } = self;
        let (window, channels) = (&params.window, params.input.channels);
        let zero = I::splat8(params.input_zero);
        let (phase, pitch) = (layout.phase(params), layout.pitch);
        let (width, stride, pad) = (params.input.width, window.stride[1], window.pad[1]);
        let len = block.len();
        for (rest, staged) in staged[..layout.staged(params)]
            .chunks_exact_mut(phase)
            .enumerate()
        {
            let mut column = (self.columns.start * stride + rest).wrapping_sub(pad);
            let mut place = 0;
            while place < phase - BYTES {
                let mut vector = zero;
                if column < width {
                    let from = &input[column * channels + block.start..][..len];
                    // SAFETY: there are `len` bytes.
                    vector = unsafe {
                        match from.first_chunk::<BYTES>() {
                            Some(whole) => I::load(whole.as_ptr()),
                            None => I::load_part(from.as_ptr(), len),
                        }
                    };
                }
                let to = &mut staged[place..][..BYTES];
                // SAFETY: there are as many bytes as in a vector. What is beyond the pixel's is
                // written again with the next one.
                unsafe { I::store(to.as_mut_ptr(), vector) };
                column = column.wrapping_add(stride);
                place += pitch;
            }
        }
    }

    /// Makes a row of the ring of the staged one.
    #[inline(always)]
    fn interleave<I: Isa>(&self, staged: &[i8], line: &mut [i8]) {
        let (window, layout) = (&self.params.window, self.layout);
        let phase = layout.phase(self.params);
        let sign = I::splat8(i8::MIN);
        for group in 0..layout.groups {
            let mut places = [0; TAPS];
            for (tap, place) in places.iter_mut().enumerate() {
                // Taps beyond the window have weights of zero.
                let tap = (group * TAPS + tap).min(window.kernel[1] - 1) * window.dilation[1];
                let [pixel, rest] = [tap / window.stride[1], tap % window.stride[1]];
                *place = rest * phase + pixel * layout.pitch;
            }
            let lines = line[group * WORDS..].chunks_mut(layout.groups * WORDS);
            for (index, words) in lines.take(layout.vectors).enumerate() {
                let mut taps = [sign; TAPS];
                for (vector, place) in taps.iter_mut().zip(places) {
                    let from = &staged[place + index * layout.pixels * layout.pitch..][..BYTES];
                    // SAFETY: there are as many bytes as in a vector.
                    *vector = unsafe { I::xor(I::load(from.as_ptr()), sign) };
                }
                write_words::<I>(finish::interleave::<I>(taps), words);
            }
        }
    }

    /// Writes the outputs of output row `row`.
    #[inline(always)]
    fn row<I: Isa>(
        &self,
        row: usize,
        ring: &[i8],
        weights: &[i8],
        finishes: &[Block<I>; QUADS],
        store: &Store<I>,
        output: &mut [i8],
    ) {
        let Self { params, layout, .. } = self;
        let (window, shape) = (&params.window, params.output);
        let (line, rows) = (layout.line(), window.kernel[0]);
        let mut lines = [0; ROWS_MAX];
        for (tap, at) in lines[..rows].iter_mut().enumerate() {
            *at = (row * window.stride[0] + tap * window.dilation[0]) % layout.rows * line;
        }
        let lines = &lines[..rows];
        assert!(ring.len() >= layout.ring() && weights.len() >= layout.weights(params));
        let of_pixel = layout.groups * WORDS;
        let step = layout.pixels * shape.channels;
        let at = (row * shape.width + self.columns.start) * shape.channels + self.block.start;
        let last = self.columns.len() * shape.channels - (shape.channels - self.block.len());
        let outputs = &mut output[at..][..last];
        let whole = if layout.pixels == 1 {
            self.block.len()
        } else {
            step
        };
        for (index, outputs) in outputs.chunks_mut(step).enumerate() {
            let words = ring[index * of_pixel..].as_ptr();
            // SAFETY: the ring has all lines, a line has `of_pixel` bytes at every index, and there
            // are as many weights a row of the window.
            let sums = unsafe {
                match (rows, layout.groups) {
                    (3, 1) => sums(words, &lines[..3], weights.as_ptr(), 1, finishes),
                    (_, groups) => sums(words, lines, weights.as_ptr(), groups, finishes),
                }
            };
            let bytes = store.bytes(sums);
            let len = outputs.len().min(whole);
            // SAFETY: as many bytes as there are outputs, which are no more than a vector's.
            unsafe {
                if len == BYTES {
                    I::store(outputs.as_mut_ptr(), bytes);
                } else {
                    I::store_part(outputs.as_mut_ptr(), len, bytes);
                }
            }
        }
    }
}

/// 64 sums, scaled, of the words that lie at `words` in each of `lines`: `groups` times four
/// vectors.
///
/// # Safety
/// The words are there, and so are as many weights for every line.
#[inline(always)]
unsafe fn sums<I: Isa>(
    words: *const i8,
    lines: &[usize],
    weights: *const i8,
    groups: usize,
    finishes: &[Block<I>; QUADS],
) -> [I::Vector; QUADS] {
    let mut sums = [I::splat32(0); QUADS];
    for (sum, finish) in sums.iter_mut().zip(finishes) {
        *sum = finish.bias;
    }
    for (tap, line) in lines.iter().enumerate() {
        for group in 0..groups {
            let at = (tap * groups + group) * WORDS;
            for (quad, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                unsafe {
                    let words = I::load(words.add(line + group * WORDS + quad * BYTES));
                    let weights = I::load(weights.add(at + quad * BYTES));
                    *sum = I::dot(*sum, words, weights);
                }
            }
        }
    }
    for (sum, finish) in sums.iter_mut().zip(finishes) {
        *sum = finish.scale(*sum);
    }
    sums
}
