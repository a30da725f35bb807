//! Convolution: the dot products of what a pixel reads with four output channels at a time.
//!
//! Where a pixel reads one run of the input it is read in place, else its patch is collected in the
//! scratch: kernel rows, with the input's zero point where they lie outside. Groups, packings other
//! than rows and fewer than four channels are left to [`generic`].

use super::copy::copy;
use super::{LANES, Store, requantize};
use crate::arch::patch::collect;
use crate::arch::scratch::STACK_WORDS;
use crate::arch::stack::Stack;
use crate::generic;
use crate::packing::Packing;
use crate::reference::conv2d::{Conv2d, ConvConstants};
use core::arch::naked_asm;

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let (taps, channels) = (params.taps(), params.output.channels);
    let (shape, window) = (params.input, &params.window);
    let in_place = window.kernel == [1, 1] && window.pad == [0, 0];
    let mut stack = Stack::<STACK_WORDS>::new();
    let room: &mut [i8] = bytemuck::cast_slice_mut(stack.or(scratch));
    let is_ours = params.groups == 1
        && params.packing == Packing::ROWS
        && channels >= LANES
        && (in_place || taps <= room.len());
    let Some(store) = Store::new(params.store, constants.shifts).filter(|_| is_ours) else {
        return generic::conv2d::conv2d(params, constants, input, &mut [], output);
    };
    let arguments = [
        constants.bias.len(),
        constants.mantissas.len(),
        constants.shifts.len(),
    ];
    assert!(arguments == [channels; 3] && constants.weights.len() == channels * taps);
    let frame = |first: usize, blocks: usize| Frame {
        weights: constants.weights[first * taps..].as_ptr(),
        taps,
        bias: constants.bias[first..].as_ptr(),
        mantissas: constants.mantissas[first..].as_ptr(),
        shifts: constants.shifts[first..].as_ptr(),
        outputs: core::ptr::null_mut(),
        blocks,
        store,
    };
    // The last four channels may be some of those before.
    let last = channels - LANES;
    let mut frames = [frame(0, channels / LANES), frame(last, 1)];
    let frames = if channels.is_multiple_of(LANES) {
        &mut frames[..1]
    } else {
        &mut frames[..]
    };
    let (width, depth) = (params.output.width, shape.channels);
    for (y, outputs) in output.chunks_exact_mut(width * channels).enumerate() {
        let row = y * window.stride[0] * shape.width;
        for (x, outputs) in outputs.chunks_exact_mut(channels).enumerate() {
            let patch = if in_place {
                &input[(row + x * window.stride[1]) * depth..][..taps]
            } else {
                let patch = &mut room[..taps];
                collect(shape, window, params.input_zero, input, [y, x], patch, copy);
                patch
            };
            for (frame, first) in frames.iter_mut().zip([0, last]) {
                frame.outputs = outputs[first..].as_mut_ptr();
                // SAFETY: from the first channel on there are four times `blocks` of them, with
                // their weights and constants, as the assertion says.
                unsafe { pixel_channels(frame, patch.as_ptr()) };
            }
        }
    }
}

/// What [`pixel_channels`] reads.
#[repr(C)]
struct Frame {
    /// Rows of the channels.
    weights: *const i8,
    /// Taps of a channel, not 0.
    taps: usize,
    /// Of each channel.
    bias: *const i32,
    /// Of each channel.
    mantissas: *const i32,
    /// Of each channel.
    shifts: *const i8,
    /// Where the first channel goes.
    outputs: *mut i8,
    /// Blocks of four channels, not 0.
    blocks: usize,
    /// How sums become outputs.
    store: Store,
}

/// Writes four times `blocks` channels of one pixel.
///
/// r0, r2, r4 and r6 have the sums; r1 goes through the inputs, r3, r5, r9 and r8 through the
/// weights; r10 to r12 point to mantissas, shifts and biases.
///
/// # Safety
/// The frame is true, and `inputs` has `taps` bytes.
#[unsafe(naked)]
unsafe extern "C" fn pixel_channels(frame: &Frame, inputs: *const i8) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d11}}",
        // On the stack: weights, taps, inputs, outputs, blocks.
        "sub sp, #24",
        "ldrd r2, r3, [r0]",
        "strd r2, r3, [sp]",
        "ldrd r12, r10, [r0, #8]",
        "ldrd r11, r2, [r0, #16]",
        "strd r1, r2, [sp, #8]",
        "ldrd r2, r7, [r0, #24]",
        "str r2, [sp, #16]",
        "ldrd r2, r3, [r0, #32]",
        "vdup.32 q4, r2",
        "vdup.32 q5, r3",
        "1:",
        "ldrd r3, lr, [sp]",
        "ldr r1, [sp, #8]",
        "add r5, r3, lr",
        "add r9, r5, lr",
        "add r8, r9, lr",
        "add r0, r8, lr",
        "str r0, [sp]",
        "ldm r12!, {{r0, r2, r4, r6}}",
        "dlstp.8 lr, lr",
        "2:",
        "vldrb.u8 q0, [r1], #16",
        "vldrb.u8 q1, [r3], #16",
        "vmladava.s8 r0, q0, q1",
        "vldrb.u8 q2, [r5], #16",
        "vmladava.s8 r2, q0, q2",
        "vldrb.u8 q1, [r9], #16",
        "vmladava.s8 r4, q0, q1",
        "vldrb.u8 q2, [r8], #16",
        "vmladava.s8 r6, q0, q2",
        "letp lr, 2b",
        "vmov d0, r0, r2",
        "vmov d1, r4, r6",
        requantize!("r10", "r11"),
        "ldrd r0, r1, [sp, #12]",
        "vstrb.32 q0, [r0], #4",
        "subs r1, #1",
        "strd r0, r1, [sp, #12]",
        "bne 1b",
        "add sp, #24",
        "vpop {{d8-d11}}",
        "pop {{r4-r11, pc}}",
    )
}
