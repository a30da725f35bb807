//! Depthwise convolution: four channels of a pixel at a time, tap by tap.
//!
//! Channel multipliers and channels that are no multiple of four are left to [`generic`].

use super::{LANES, Store, requantize};
use crate::generic;
use crate::reference::conv2d::ConvConstants;
use crate::reference::depthwise::Depthwise;
use core::arch::naked_asm;

/// As [`crate::reference::depthwise::depthwise`].
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let channels = params.output.channels;
    let is_ours = params.multiplier() == 1 && channels.is_multiple_of(LANES);
    let Some(store) = Store::new(params.store, constants.shifts).filter(|_| is_ours) else {
        return generic::depthwise::depthwise(params, constants, input, scratch, output);
    };
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
    for (pixel, outputs) in output.chunks_exact_mut(channels).enumerate() {
        let [y, x] = [pixel / params.output.width, pixel % params.output.width];
        let rows = window.inside(0, y, shape.height);
        let columns = window.inside(1, x, shape.width);
        let whole = rows.len() == kernel_rows && columns.len() == kernel_columns;
        if !whole || rows.is_empty() {
            edge(params, constants, input, pixel, outputs);
            continue;
        }
        let first = rows.origin * shape.width + columns.origin;
        let frame = Frame {
            weights: constants.weights.as_ptr(),
            inputs: input[first * channels..].as_ptr(),
            bias: constants.bias.as_ptr(),
            mantissas: constants.mantissas.as_ptr(),
            shifts: constants.shifts.as_ptr(),
            outputs: outputs.as_mut_ptr(),
            blocks: channels / LANES,
            store,
            channels,
            columns: kernel_columns,
            rows: kernel_rows,
            column_step: window.dilation[1] * channels,
            row_step: (window.dilation[0] * shape.width - kernel_columns * window.dilation[1])
                .wrapping_mul(channels),
        };
        // SAFETY: every tap lies inside of the input; the assertions say that weights and
        // constants are there for each channel.
        unsafe { pixel_channels(&frame) };
    }
}

/// One pixel of which some taps lie outside.
fn edge(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    pixel: usize,
    outputs: &mut [i8],
) {
    let Depthwise {
        input: shape,
        window,
        ..
    } = params;
    let channels = params.output.channels;
    let [y, x] = [pixel / params.output.width, pixel % params.output.width];
    for (block, outputs) in outputs.chunks_exact_mut(LANES).enumerate() {
        let first = block * LANES;
        let mut sums = [0_i32; LANES];
        for row in 0..window.kernel[0] {
            let from = window.tap(0, y, row, shape.height);
            for column in 0..window.kernel[1] {
                let tap = row * window.kernel[1] + column;
                let weights = &constants.weights[tap * channels + first..][..LANES];
                let values = match (from, window.tap(1, x, column, shape.width)) {
                    (Some(y), Some(x)) => {
                        let at = (y * shape.width + x) * channels + first;
                        [0, 1, 2, 3].map(|lane| input[at + lane])
                    }
                    _ => [params.input_zero; LANES],
                };
                for ((sum, &weight), value) in sums.iter_mut().zip(weights).zip(values) {
                    *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
                }
            }
        }
        for (lane, (out, sum)) in outputs.iter_mut().zip(sums).enumerate() {
            *out = constants.output(first + lane, sum, params.store);
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
    /// Blocks of four channels, not 0.
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
        "vpush {{d8-d11}}",
        // On the stack: inputs, weights, outputs, blocks.
        "sub sp, #16",
        "ldrd r2, r1, [r0]",
        "strd r1, r2, [sp]",
        "ldrd r9, r10, [r0, #8]",
        "ldrd r11, r2, [r0, #16]",
        "ldrd r3, r7, [r0, #24]",
        "strd r2, r3, [sp, #8]",
        "ldrd r2, r3, [r0, #32]",
        "vdup.32 q4, r2",
        "vdup.32 q5, r3",
        "ldr r4, [r0, #40]",
        "ldrd r3, r5, [r0, #52]",
        "1:",
        "ldrd r1, r2, [sp]",
        "ldr r6, [r0, #48]",
        "ldr r12, [r0, #44]",
        "vldrw.u32 q0, [r9], #16",
        "2:",
        "dls lr, r12",
        "3:",
        "vldrb.s32 q1, [r1]",
        "vldrb.s32 q2, [r2]",
        "add r1, r3",
        "add r2, r4",
        "vmul.i32 q1, q1, q2",
        "vadd.i32 q0, q0, q1",
        "le lr, 3b",
        "add r1, r5",
        "subs r6, #1",
        "bne 2b",
        requantize!("r10", "r11"),
        "ldrd r1, r2, [sp]",
        "adds r1, #4",
        "adds r2, #4",
        "strd r1, r2, [sp]",
        "ldrd r1, r2, [sp, #8]",
        "vstrb.32 q0, [r1], #4",
        "subs r2, #1",
        "strd r1, r2, [sp, #8]",
        "bne 1b",
        "add sp, #16",
        "vpop {{d8-d11}}",
        "pop {{r4-r11, pc}}",
    )
}
