//! Depthwise convolution: eight channels of a pixel at a time, tap by tap, of what
//! [`depthwise3x3`] is not for.
//!
//! Even and odd channels have sums of their own, as products of int16 are widened. A pixel of which
//! some taps lie outside of the input is computed from a patch in the scratch. Channel multipliers,
//! channels that are no multiple of eight and patches too large for the scratch are left to
//! [`generic`].

use super::copy::copy;
use super::{Store, depthwise3x3};
use crate::arch::patch::collect;
use crate::arch::scratch::STACK_WORDS;
use crate::arch::stack::Stack;
use crate::generic;
use crate::reference::conv2d::ConvConstants;
use crate::reference::depthwise::Depthwise;
use core::arch::naked_asm;

/// Channels that are computed together.
const LANES: usize = 8;

/// As [`crate::reference::depthwise::depthwise`].
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let channels = params.output.channels;
    let mut stack = Stack::<STACK_WORDS>::new();
    let room = stack.or(scratch);
    let patch_len = params.weights_len();
    let is_ours = params.multiplier() == 1
        && channels.is_multiple_of(LANES)
        && patch_len <= size_of_val(room);
    let Some(store) = Store::new(params.store, constants.shifts).filter(|_| is_ours) else {
        return generic::depthwise::depthwise(params, constants, input, &mut [], output);
    };
    if depthwise3x3::depthwise(params, constants, store, input, room, output) {
        return params.store.clamp(output);
    }
    let room: &mut [i8] = bytemuck::cast_slice_mut(room);
    let Depthwise {
        input: shape,
        window,
        ..
    } = params;
    let [kernel_rows, kernel_columns] = window.kernel;
    let arguments = [
        constants.bias.len(),
        constants.mantissas.len(),
        constants.shifts.len(),
    ];
    assert!(arguments == [channels; 3] && input.len() == shape.len());
    assert!(constants.weights.len() == kernel_rows * kernel_columns * channels);
    let [inner, skip] = {
        let row = window.dilation[0] * shape.width;
        let skip = row.wrapping_sub(kernel_columns * window.dilation[1]);
        [window.dilation[1], skip].map(|pixels| pixels.wrapping_mul(channels))
    };
    let mut frame = Frame {
        weights: constants.weights.as_ptr(),
        inputs: input.as_ptr(),
        bias: constants.bias.as_ptr(),
        mantissas: constants.mantissas.as_ptr(),
        shifts: constants.shifts.as_ptr(),
        outputs: output.as_mut_ptr(),
        blocks: channels / LANES,
        store,
        channels,
        columns: kernel_columns,
        rows: kernel_rows,
        column_step: inner,
        row_step: skip,
    };
    let row_len = params.output.width * channels;
    for (y, outputs) in output.chunks_exact_mut(row_len).enumerate() {
        let rows = window.inside(0, y, shape.height);
        for (x, outputs) in outputs.chunks_exact_mut(channels).enumerate() {
            // Wraps around where it is padding.
            let first = (x * window.stride[1]).wrapping_sub(window.pad[1]);
            let last = first.wrapping_add((kernel_columns - 1) * window.dilation[1]);
            let whole = rows.len() == kernel_rows && first <= last && last < shape.width;
            if whole {
                frame.inputs = input[(rows.origin * shape.width + first) * channels..].as_ptr();
                (frame.column_step, frame.row_step) = (inner, skip);
            } else {
                let patch = &mut room[..patch_len];
                collect(
                    *shape,
                    window,
                    params.input_zero,
                    input,
                    [y, x],
                    patch,
                    copy,
                );
                frame.inputs = patch.as_ptr();
                (frame.column_step, frame.row_step) = (channels, 0);
            }
            frame.outputs = outputs.as_mut_ptr();
            // SAFETY: every tap lies inside of the input or the patch; the assertions say that
            // weights and constants are there for each channel.
            unsafe { pixel_channels(&frame) };
        }
    }
}

/// What [`pixel_channels`] reads.
#[repr(C)]
struct Frame {
    /// `[tap][channel]`.
    weights: *const i8,
    /// The first tap of the first channel.
    inputs: *const i8,
    /// Of each channel.
    bias: *const i32,
    /// Of each channel.
    mantissas: *const i32,
    /// Of each channel.
    shifts: *const i8,
    /// Where the first channel goes.
    outputs: *mut i8,
    /// Blocks of eight channels, not 0.
    blocks: usize,
    /// How sums become outputs.
    store: Store,
    /// Bytes from one tap's weights to the next.
    channels: usize,
    /// Taps of a row, not 0.
    columns: usize,
    /// Rows of taps, not 0.
    rows: usize,
    /// Bytes of the input from one tap of a row to the next.
    column_step: usize,
    /// Bytes of the input from behind one row of taps to the next.
    row_step: usize,
}

/// Writes every channel of one pixel, all taps of which lie inside.
///
/// r1 goes through the inputs, r2 through the weights; r3 and r4 step them, r5 from row to row, r6
/// counts rows; r9 to r11 point to biases, mantissas and shifts; r0 is the frame.
///
/// # Safety
/// The frame is true.
#[unsafe(naked)]
unsafe extern "C" fn pixel_channels(frame: &Frame) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: inputs, weights, outputs, blocks.
        "sub sp, #16",
        "ldrd r2, r1, [r0]",
        "strd r1, r2, [sp]",
        "ldrd r9, r10, [r0, #8]",
        "ldrd r11, r2, [r0, #16]",
        "ldrd r3, r7, [r0, #24]",
        "strd r2, r3, [sp, #8]",
        "ldrd r2, r3, [r0, #32]",
        "vdup.16 q6, r2",
        "vdup.16 q7, r3",
        "ldr r4, [r0, #40]",
        "ldrd r3, r5, [r0, #52]",
        // Sums of even channels in q0, of odd ones in q1.
        "1:",
        "ldrd r1, r2, [sp]",
        "ldr r6, [r0, #48]",
        "ldr r12, [r0, #44]",
        "vld20.32 {{q0, q1}}, [r9]",
        "vld21.32 {{q0, q1}}, [r9]!",
        "2:",
        "dls lr, r12",
        "3:",
        "vldrb.s16 q2, [r1]",
        "vldrb.s16 q3, [r2]",
        "add r1, r3",
        "add r2, r4",
        "vmullb.s16 q4, q2, q3",
        "vmullt.s16 q5, q2, q3",
        "vadd.i32 q0, q0, q4",
        "vadd.i32 q1, q1, q5",
        "le lr, 3b",
        "add r1, r5",
        "subs r6, #1",
        "bne 2b",
        "vld20.32 {{q2, q3}}, [r10]",
        "vld21.32 {{q2, q3}}, [r10]!",
        "mov r1, r11",
        "add r11, #8",
        "vldrb.s16 q4, [r1]",
        "vqdmulh.s32 q0, q0, q2",
        "vqdmulh.s32 q1, q1, q3",
        "vmovlb.s16 q2, q4",
        "vmovlt.s16 q3, q4",
        "vrshl.s32 q0, q0, q2",
        "vrshl.s32 q1, q1, q3",
        "vadd.i32 q0, q0, r7",
        "vadd.i32 q1, q1, r7",
        "vqmovnb.s32 q0, q0",
        "vqmovnt.s32 q0, q1",
        "vmax.s16 q0, q0, q6",
        "vmin.s16 q0, q0, q7",
        "ldrd r1, r2, [sp]",
        "adds r1, #8",
        "adds r2, #8",
        "strd r1, r2, [sp]",
        "ldrd r1, r2, [sp, #8]",
        "vstrb.16 q0, [r1], #8",
        "subs r2, #1",
        "strd r1, r2, [sp, #8]",
        "bne 1b",
        "add sp, #16",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}
