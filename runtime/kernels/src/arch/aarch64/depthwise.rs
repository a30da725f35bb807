//! Depthwise convolution with one output channel an input channel, sixteen channels at a time.

use super::finish::{Finish, LANES, Sums};
use crate::generic;
use crate::reference::{conv2d::ConvConstants, depthwise::Depthwise};
use core::arch::aarch64::*;

/// As [`crate::reference::depthwise::depthwise`].
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let channels = params.output.channels;
    if params.multiplier() != 1 {
        return generic::depthwise::depthwise(params, constants, input, scratch, output);
    }
    for block in (0..channels).step_by(LANES) {
        // The last block overlaps the one before, unless it is the first.
        let first = block.min(channels.saturating_sub(LANES));
        let count = LANES.min(channels - first);
        let finish = Finish::new(constants, first, params.store);
        for (pixel, outputs) in output.chunks_exact_mut(channels).enumerate() {
            let sums = sums(
                params,
                constants.weights,
                input,
                pixel,
                first..first + count,
            );
            finish.write(sums, &mut outputs[first..first + count]);
        }
    }
}

/// The sums of `lanes`, sixteen channels or less, of one output pixel.
#[inline(always)]
fn sums(
    params: &Depthwise,
    weights: &[i8],
    input: &[i8],
    pixel: usize,
    lanes: core::ops::Range<usize>,
) -> Sums {
    let (window, channels) = (&params.window, params.output.channels);
    let [y, x] = [pixel / params.output.width, pixel % params.output.width];
    let rows = window.inside(0, y, params.input.height);
    let columns = window.inside(1, x, params.input.width);
    // SAFETY: AArch64 has NEON.
    let (mut sums, zero) = unsafe { ([vdupq_n_s32(0); 4], vdupq_n_s8(params.input_zero)) };
    for row in 0..window.kernel[0] {
        for column in 0..window.kernel[1] {
            let tap = (row * window.kernel[1] + column) * channels;
            let weights = load(&weights[tap..][lanes.clone()]);
            let inside = (rows.start..rows.end).contains(&row)
                && (columns.start..columns.end).contains(&column);
            let values = if inside {
                let y = rows.origin + (row - rows.start) * window.dilation[0];
                let x = columns.origin + (column - columns.start) * window.dilation[1];
                load(&input[(y * params.input.width + x) * channels..][lanes.clone()])
            } else {
                zero
            };
            add_products(&mut sums, values, weights);
        }
    }
    sums
}

/// Sixteen bytes or less; the lanes that are missing are zero.
#[inline(always)]
fn load(bytes: &[i8]) -> int8x16_t {
    let mut block = [0; LANES];
    let block = match bytes.first_chunk() {
        Some(whole) => whole,
        None => {
            block[..bytes.len()].copy_from_slice(bytes);
            &block
        }
    };
    // SAFETY: AArch64 has NEON; the array has sixteen bytes.
    unsafe { vld1q_s8(block.as_ptr()) }
}

#[inline(always)]
fn add_products(sums: &mut Sums, a: int8x16_t, b: int8x16_t) {
    // SAFETY: AArch64 has NEON.
    unsafe {
        let low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
        let high = vmull_high_s8(a, b);
        sums[0] = vaddw_s16(sums[0], vget_low_s16(low));
        sums[1] = vaddw_high_s16(sums[1], low);
        sums[2] = vaddw_s16(sums[2], vget_low_s16(high));
        sums[3] = vaddw_high_s16(sums[3], high);
    }
}
