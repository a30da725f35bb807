//! Depthwise convolution with a 3×3 window: sixteen neighbouring outputs at a time, which are
//! channels of a pixel, or two pixels of eight channels.
//!
//! Products of int8 are int16, and so are sums of two of them unless both are 2^14: weights of -128
//! are left to others. Even and odd lanes are added up apart, in the order of [`LANES`]. Rows of
//! the input with their padding lie in the scratch, unless none are padded.

use super::copy::copy;
use super::{Store, VECTOR};
use crate::arch::scratch;
use crate::reference::conv2d::ConvConstants;
use crate::reference::depthwise::Depthwise;
use core::arch::naked_asm;

/// Rows and columns of the window.
const TAPS: usize = 3;

/// The outputs of a block in the order of their sums: four lanes of four vectors.
const LANES: [usize; VECTOR] = [0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15];

/// Writes the convolution, its outputs clamped to int8 alone; `false` where it is not for this
/// kernel, or `room` is too small.
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    store: Store,
    input: &[i8],
    room: &mut [u32],
    output: &mut [i8],
) -> bool {
    let (channels, width) = (params.output.channels, params.output.width);
    let fits = scratch::armv81m_depthwise3x3(params).is_some_and(|it| it <= size_of_val(room));
    let least = constants.weights.iter().fold(0, |least, &it| least.min(it));
    if !fits || least == i8::MIN {
        return false;
    }
    let (blocks, rows) = room.split_at_mut(channels.div_ceil(VECTOR) * Block::WORDS);
    let blocks = bytemuck::cast_slice_mut(blocks);
    for (index, block) in blocks.iter_mut().enumerate() {
        *block = Block::new(constants, index * VECTOR);
    }
    let mut rows = Rows::new(params, input, bytemuck::cast_slice_mut(rows));
    let (pixels, pixel) = if channels < VECTOR {
        (width * channels / VECTOR, VECTOR)
    } else {
        (width, channels)
    };
    let row_len = width * channels;
    assert!(input.len() == params.input.len() && row_len == pixels * pixel);
    for (y, outputs) in output.chunks_exact_mut(row_len).enumerate() {
        let frame = Frame {
            blocks: blocks.as_ptr(),
            blocks_len: blocks.len(),
            pixels,
            outputs: outputs.as_mut_ptr(),
            zero: store.zero,
            skip: (params.window.stride[1] - 1) * channels,
            channels,
            rows: rows.of(y).map(<[i8]>::as_ptr),
        };
        // SAFETY: there is a block for all channels, and room for the outputs, as the assertion
        // says; `Rows::of` gives all that is read.
        unsafe { row(&frame) };
    }
    true
}

/// What sixteen outputs have, in the order that the kernel reads it.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Block {
    /// In the order of [`LANES`].
    bias: [i32; VECTOR],
    weights: [[i8; VECTOR]; TAPS * TAPS],
    /// In the order of [`LANES`].
    mantissas: [i32; VECTOR],
    /// In the order of [`LANES`].
    shifts: [i32; VECTOR],
}

impl Block {
    /// Words of a block.
    const WORDS: usize = size_of::<Self>() / size_of::<u32>();

    /// The block of sixteen channels from `first`; of eight channels if there are no more, twice.
    fn new(constants: &ConvConstants<'_>, first: usize) -> Self {
        let channels = constants.bias.len();
        let mask = channels.min(VECTOR) - 1;
        let lanes = LANES.map(|lane| first + (lane & mask));
        Self {
            bias: lanes.map(|channel| constants.bias[channel]),
            weights: core::array::from_fn(|tap| {
                let weights = &constants.weights[tap * channels + first..][..=mask];
                core::array::from_fn(|lane| weights[lane & mask])
            }),
            mantissas: lanes.map(|channel| constants.mantissas[channel]),
            shifts: lanes.map(|channel| constants.shifts[channel].into()),
        }
    }
}

/// The rows that outputs read.
struct Rows<'a> {
    params: &'a Depthwise,
    input: &'a [i8],
    /// Three rows with their padding; none if nothing is padded.
    padded: &'a mut [i8],
    /// Rows, counted from the padding above, that have been copied or will not be read again.
    done: usize,
}

impl<'a> Rows<'a> {
    fn new(params: &'a Depthwise, input: &'a [i8], room: &'a mut [i8]) -> Self {
        let padded = &mut room[..scratch::armv81m_padded3x3(params)];
        padded.fill(params.input_zero);
        Self {
            params,
            input,
            padded,
            done: 0,
        }
    }

    /// The three rows of the outputs in row `y`, from the first column that is read.
    fn of(&mut self, y: usize) -> [&[i8]; TAPS] {
        let Depthwise {
            input: shape,
            window,
            ..
        } = self.params;
        let top = y * window.stride[0];
        let pitch = shape.width * shape.channels;
        if self.padded.is_empty() {
            return [0, 1, 2].map(|row| &self.input[(top + row) * pitch..][..pitch]);
        }
        for row in self.done.max(top)..top + TAPS {
            self.load(row);
        }
        self.done = top + TAPS;
        let len = self.padded.len() / TAPS;
        [0, 1, 2].map(|row| &self.padded[(top + row) % TAPS * len..][..len])
    }

    /// Copies row `row` to its place.
    fn load(&mut self, row: usize) {
        let Depthwise {
            input: shape,
            window,
            ..
        } = self.params;
        let (pitch, left) = (shape.width * shape.channels, window.pad[1] * shape.channels);
        let len = self.padded.len() / TAPS;
        let to = &mut self.padded[row % TAPS * len..][..len];
        let inside = row
            .checked_sub(window.pad[0])
            .filter(|&row| row < shape.height);
        match inside {
            Some(row) => {
                let run = pitch.min(len - left);
                copy(&self.input[row * pitch..][..run], &mut to[left..][..run]);
            }
            None => to.fill(self.params.input_zero),
        }
    }
}

/// What [`row`] reads.
#[repr(C)]
struct Frame {
    /// Of all channels.
    blocks: *const Block,
    /// Blocks of a pixel, not 0.
    blocks_len: usize,
    /// Pixels, or pairs of them, not 0.
    pixels: usize,
    /// Where the first output goes.
    outputs: *mut i8,
    /// The zero point of the outputs.
    zero: i32,
    /// Bytes of the inputs from one pixel's blocks to the next pixel's.
    skip: usize,
    /// Bytes from one column to the next.
    channels: usize,
    /// The first column of each row of inputs.
    rows: [*const i8; TAPS],
}

/// Two taps at `$first` and `$second`: adds their products to the sums in q0 to q3.
#[rustfmt::skip]
macro_rules! two_taps {
    ($first:literal, $second:literal) => {
        concat!(
            "vldrb.u8 q4, [", $first, "], #16\n",
            "vldrb.u8 q5, [r9], #16\n",
            "vmullb.s8 q6, q4, q5\n",
            "vmullt.s8 q4, q4, q5\n",
            "vldrb.u8 q5, [", $second, "], #16\n",
            "vldrb.u8 q7, [r9]\n",
            "vmullb.s8 q7, q5, q7\n",
            "vadd.i16 q6, q6, q7\n",
            "vmovlb.s16 q7, q6\n",
            "vadd.i32 q0, q0, q7\n",
            "vmovlt.s16 q6, q6\n",
            "vadd.i32 q1, q1, q6\n",
            // There is no register to keep them in.
            "vldrb.u8 q7, [r9], #16\n",
            "vmullt.s8 q5, q5, q7\n",
            "vadd.i16 q4, q4, q5\n",
            "vmovlb.s16 q5, q4\n",
            "vadd.i32 q2, q2, q5\n",
            "vmovlt.s16 q4, q4\n",
            "vadd.i32 q3, q3, q4\n",
        )
    };
}

/// Multiplies and shifts the sums in `$sum` by the next vectors of mantissas and shifts.
#[rustfmt::skip]
macro_rules! scale {
    ($operation:literal) => {
        concat!(
            "vldrw.u32 q4, [r9], #16\n",
            "vldrw.u32 q5, [r9], #16\n",
            "vldrw.u32 q6, [r9], #16\n",
            "vldrw.u32 q7, [r9], #16\n",
            $operation, " q0, q0, q4\n",
            $operation, " q1, q1, q5\n",
            $operation, " q2, q2, q6\n",
            $operation, " q3, q3, q7\n",
        )
    };
}

/// Writes a row of outputs.
///
/// r0 to r8 go through the inputs of each tap, r9 through the blocks, r10 through the outputs; r11
/// has the zero point, r12 the skip; lr counts blocks.
///
/// # Safety
/// The frame is true; each row has two columns more than its pixels go through.
#[unsafe(naked)]
unsafe extern "C" fn row(frame: &Frame) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: where the blocks are, and how many; pixels.
        "ldm r0!, {{r1-r3}}",
        "sub sp, #16",
        "stm sp, {{r1-r3}}",
        "ldm r0!, {{r10-r12, lr}}",
        "ldm r0, {{r0, r3, r6}}",
        "add r1, r0, lr",
        "add r2, r1, lr",
        "add r4, r3, lr",
        "add r5, r4, lr",
        "add r7, r6, lr",
        "add r8, r7, lr",
        "1:",
        "ldrd r9, lr, [sp]",
        "dls lr, lr",
        "2:",
        "vldrw.u32 q0, [r9], #16",
        "vldrw.u32 q1, [r9], #16",
        "vldrw.u32 q2, [r9], #16",
        "vldrw.u32 q3, [r9], #16",
        two_taps!("r0", "r1"),
        two_taps!("r2", "r3"),
        two_taps!("r4", "r5"),
        two_taps!("r6", "r7"),
        "vldrb.u8 q4, [r8], #16",
        "vldrb.u8 q5, [r9], #16",
        "vmullb.s8 q6, q4, q5",
        "vmullt.s8 q4, q4, q5",
        "vmovlb.s16 q7, q6",
        "vadd.i32 q0, q0, q7",
        "vmovlt.s16 q6, q6",
        "vadd.i32 q1, q1, q6",
        "vmovlb.s16 q5, q4",
        "vadd.i32 q2, q2, q5",
        "vmovlt.s16 q4, q4",
        "vadd.i32 q3, q3, q4",
        scale!("vqdmulh.s32"),
        scale!("vrshl.s32"),
        // Lanes return to their places as they become narrow.
        "vqmovnb.s32 q0, q0",
        "vqmovnt.s32 q0, q1",
        "vqmovnb.s32 q2, q2",
        "vqmovnt.s32 q2, q3",
        "vqadd.s16 q0, q0, r11",
        "vqadd.s16 q2, q2, r11",
        "vqmovnb.s16 q0, q0",
        "vqmovnt.s16 q0, q2",
        "vstrb.8 q0, [r10], #16",
        "le lr, 2b",
        "ldr r9, [sp, #8]",
        "subs r9, #1",
        "str r9, [sp, #8]",
        "beq 3f",
        "cmp r12, #0",
        "beq 1b",
        "add r0, r12",
        "add r1, r12",
        "add r2, r12",
        "add r3, r12",
        "add r4, r12",
        "add r5, r12",
        "add r6, r12",
        "add r7, r12",
        "add r8, r12",
        "b 1b",
        "3:",
        "add sp, #16",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}
