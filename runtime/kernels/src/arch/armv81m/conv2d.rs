//! Convolution: four output channels at a time, for one pixel after another.
//!
//! Packings other than [`PACKING`], patches too large for the scratch and factors of one and more
//! are left to [`generic`].

use super::patches::Patches;
use super::{LANES, Store, VECTOR};
use crate::arch::scratch::STACK_WORDS;
use crate::arch::stack::Stack;
use crate::generic;
use crate::packing::Packing;
use crate::reference::conv2d::{Conv2d, ConvConstants};
use core::arch::naked_asm;

/// The vectors of four channels side by side.
const PACKING: Packing = Packing::new(LANES as u8, VECTOR as u8);

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let (taps, channels) = (params.taps(), params.output.channels);
    let patches = Patches::new(params, input);
    let mut stack = Stack::<STACK_WORDS>::new();
    let room: &mut [i8] = bytemuck::cast_slice_mut(stack.or(scratch));
    let is_ours = params.packing == PACKING && patches.fit(room);
    let Some(store) = Store::new(params.store, constants.shifts).filter(|_| is_ours) else {
        return generic::conv2d::conv2d(params, constants, input, &mut [], output);
    };
    let arguments = [
        constants.bias.len(),
        constants.mantissas.len(),
        constants.shifts.len(),
    ];
    assert!(arguments == [channels; 3] && constants.weights.len() == params.weights_len());
    let whole = channels / LANES * LANES;
    let fours = Frame {
        channels: whole,
        mantissas: constants.mantissas.as_ptr(),
        shifts: constants.shifts.as_ptr(),
        bias: constants.bias.as_ptr(),
        pitch: channels,
        taps,
        skip: taps.wrapping_sub(taps.next_multiple_of(VECTOR)),
        weights: constants.weights.as_ptr(),
        store,
    };
    let rest = Rest::new(constants, whole);
    let rest = Frame {
        channels: channels - whole,
        mantissas: rest.mantissas.as_ptr(),
        shifts: rest.shifts.as_ptr(),
        bias: rest.bias.as_ptr(),
        weights: constants.weights[whole * PACKING.pitch(taps)..].as_ptr(),
        ..fours
    };
    patches.for_each(room, output, |inputs, outputs| {
        let pixels = outputs.len() / channels;
        assert!(inputs.len() == pixels * taps);
        for (frame, first) in [(&fours, 0), (&rest, whole)] {
            if frame.channels > 0 {
                let outputs = outputs[first..].as_mut_ptr();
                // SAFETY: weights and constants are there for whole fours of channels, as the
                // assertion and `Rest` say; here are the inputs and the outputs of the pixels.
                unsafe { pixels_channels(frame, inputs.as_ptr(), outputs, pixels) };
            }
        }
    });
}

/// The constants of the channels after the last four, made whole.
struct Rest {
    bias: [i32; LANES],
    mantissas: [i32; LANES],
    shifts: [i8; LANES],
}

impl Rest {
    fn new(constants: &ConvConstants<'_>, from: usize) -> Self {
        let lanes = constants.bias.len() - from;
        let mut rest = Self {
            bias: [0; LANES],
            mantissas: [0; LANES],
            shifts: [0; LANES],
        };
        rest.bias[..lanes].copy_from_slice(&constants.bias[from..]);
        rest.mantissas[..lanes].copy_from_slice(&constants.mantissas[from..]);
        rest.shifts[..lanes].copy_from_slice(&constants.shifts[from..]);
        rest
    }
}

/// What [`pixels_channels`] reads.
#[derive(Clone, Copy)]
#[repr(C)]
struct Frame {
    /// Channels, not 0. Of what each has there are whole fours, but for the outputs.
    channels: usize,
    /// Of each channel.
    mantissas: *const i32,
    /// Of each channel.
    shifts: *const i8,
    /// Bytes from one pixel's outputs to the next.
    pitch: usize,
    /// Of each channel.
    bias: *const i32,
    /// Taps of a channel, not 0.
    taps: usize,
    /// Bytes of the inputs from behind a pixel's vectors to the next pixel.
    skip: usize,
    /// In [`PACKING`].
    weights: *const i8,
    /// How sums become outputs.
    store: Store,
}

/// Writes the frame's channels of `pixels` pixels, not 0.
///
/// r0, r2, r4 and r6 have the sums; r1 goes through the inputs, r3 through the weights from r12 on;
/// r8 points to biases, r5 to outputs, which are r7 apart; r9 counts pixels, r10 has the taps, r11
/// the skip. q3 has the mantissas, q4 the shifts, q5 to q7 the zero point and the clamps.
///
/// # Safety
/// The frame is true; each pixel has as many inputs as there are taps, one after another, and the
/// outputs of the channels.
#[unsafe(naked)]
unsafe extern "C" fn pixels_channels(
    frame: &Frame,
    inputs: *const i8,
    outputs: *mut i8,
    pixels: usize,
) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: inputs, pixels, channels that are left, mantissas, shifts, outputs.
        "sub sp, #24",
        "ldm r0!, {{r4-r6}}",
        "strd r1, r3, [sp]",
        "strd r4, r5, [sp, #8]",
        "strd r6, r2, [sp, #16]",
        "ldm r0!, {{r7, r8, r10, r11, r12}}",
        "ldm r0, {{r1-r3}}",
        "vdup.32 q5, r1",
        "vdup.32 q6, r2",
        "vdup.32 q7, r3",
        // Four channels; of the last ones, those that there are.
        "1:",
        "ldrd r2, r4, [sp, #8]",
        "vctp.32 r2",
        "subs r2, #4",
        "vldrw.u32 q3, [r4], #16",
        "strd r2, r4, [sp, #8]",
        "ldrd r4, r5, [sp, #16]",
        "adds r2, r5, #4",
        "vldrb.s32 q4, [r4], #4",
        "strd r4, r2, [sp, #16]",
        "ldrd r1, r9, [sp]",
        "2:",
        "mov r3, r12",
        "ldm r8, {{r0, r2, r4, r6}}",
        "dlstp.8 lr, r10",
        "3:",
        "vldrb.u8 q0, [r1], #16",
        "vldrb.u8 q1, [r3], #16",
        "vmladava.s8 r0, q0, q1",
        "vldrb.u8 q2, [r3], #16",
        "vmladava.s8 r2, q0, q2",
        "vldrb.u8 q1, [r3], #16",
        "vmladava.s8 r4, q0, q1",
        "vldrb.u8 q2, [r3], #16",
        "vmladava.s8 r6, q0, q2",
        "letp lr, 3b",
        "add r1, r11",
        "vmov d0, r0, r2",
        "vmov d1, r4, r6",
        "vqdmulh.s32 q0, q0, q3",
        "vrshl.s32 q0, q0, q4",
        "vadd.i32 q0, q0, q5",
        "vmax.s32 q0, q0, q6",
        "vmin.s32 q0, q0, q7",
        "vpst",
        "vstrbt.32 q0, [r5]",
        "add r5, r7",
        "subs r9, #1",
        "bne 2b",
        "mov r12, r3",
        "add r8, #16",
        "ldr r2, [sp, #8]",
        "cmp r2, #0",
        "bgt 1b",
        "add sp, #24",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}
