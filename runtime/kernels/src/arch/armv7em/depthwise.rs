//! Depthwise convolution with a 3×3 window: one channel at a time, as a plane.
//!
//! Four neighbouring channels are copied out of the input, a band of rows at a time, into four
//! planes with their padding, and `plane` makes all outputs of each.
//! Other windows, channel multipliers and channels that are no multiple of four are left to
//! [`generic`].

use super::dsp::{sxtb16, sxtb16_ror8};
use super::finish::Folded;
use super::plane;
use crate::arch::scratch::STACK_WORDS;
use crate::arch::stack::Stack;
use crate::generic;
use crate::reference::conv2d::ConvConstants;
use crate::reference::depthwise::Depthwise;

/// Channels whose planes are made together: those of a word.
const PLANES: usize = 4;

/// Rows and columns of the window.
const TAPS: usize = 3;

/// As [`crate::reference::depthwise::depthwise`].
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let mut stack = Stack::<STACK_WORDS>::new();
    let planes: &mut [i8] = bytemuck::cast_slice_mut(stack.or(scratch));
    let Some(band) = Band::of(params, planes.len()) else {
        return generic::depthwise::depthwise(params, constants, input, &mut [], output);
    };
    let (rows, channels) = (params.output.height, params.output.channels);
    let row_len = params.output.width * channels;
    assert!(constants.weights.len() >= TAPS * TAPS * channels);
    // What pads the sides stays as it is from band to band.
    planes[..PLANES * band.plane_len()].fill(params.input_zero);
    let mut frame = band.frame(params);
    for channel in (0..channels).step_by(PLANES) {
        let weights = Weights::new(constants.weights, channels, channel);
        for first in (0..rows).step_by(band.rows) {
            let rows = band.rows.min(rows - first);
            band.fill(params, input, [first, rows], channel, planes);
            let outputs = &mut output[first * row_len..][..rows * row_len];
            frame.rows = rows;
            for lane in 0..PLANES {
                let plane = &planes[lane * band.plane_len()..][..band.plane_len()];
                let (channel, outputs) = (channel + lane, &mut outputs[channel + lane..]);
                let factor = constants.multiplier(channel);
                if let Some(folded) = Folded::new(factor, params.store) {
                    frame.bias = constants.bias[channel];
                    (frame.mantissa, frame.offset) = (factor.mantissa, folded.offset);
                    frame.outer = weights.outer.map(|row| row[lane]);
                    frame.middle = weights.middle[lane];
                    frame.last = weights.last[lane] | folded.shift as u32;
                    (frame.plane, frame.outputs) = (plane.as_ptr(), outputs.as_mut_ptr());
                    // SAFETY: the band's planes have all that its rows read, as `Band::frame`
                    // says, and every row is as long in the outputs, of any of their channels.
                    unsafe { plane::convolve(&frame) };
                    continue;
                }
                for (index, out) in outputs.iter_mut().step_by(channels).enumerate() {
                    let sum = weights.sum(lane, &plane[band.first(params, index)..], band.pitch);
                    *out = constants.output(channel, sum, params.store);
                }
            }
        }
    }
    params.store.clamp(output);
}

/// The weights of four neighbouring channels as [`plane::Frame`] has them.
struct Weights {
    /// Of each tap, the four channels in a word.
    words: [u32; TAPS * TAPS],
    outer: [[u32; PLANES]; TAPS],
    middle: [u32; PLANES],
    /// The last row's in the high halves.
    last: [u32; PLANES],
}

impl Weights {
    #[inline(always)]
    fn new(weights: &[i8], channels: usize, channel: usize) -> Self {
        let words = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|tap| {
            let lanes = weights[tap * channels + channel..].first_chunk();
            let lanes: [i8; PLANES] = lanes.copied().unwrap_or_default();
            u32::from_le_bytes(lanes.map(|lane| lane as u8))
        });
        Self {
            words,
            outer: [0, 3, 6].map(|row| halves(words[row], words[row + 2])),
            middle: halves(words[1], words[4]),
            last: halves(0, words[7]),
        }
    }

    /// The sum of a channel's products with what a plane begins with.
    fn sum(&self, lane: usize, plane: &[i8], pitch: usize) -> i32 {
        let product = |(tap, word): (usize, &u32)| {
            let value = plane[tap / TAPS * pitch + tap % TAPS];
            i32::from(value) * i32::from((word >> (8 * lane)) as i8)
        };
        self.words.iter().enumerate().map(product).sum()
    }
}

/// The four int8 of both words in pairs of int16, those of `low` in the low halves.
#[inline(always)]
fn halves(low: u32, high: u32) -> [u32; PLANES] {
    let [low, high] = [low, high].map(|word| [sxtb16(word), sxtb16_ror8(word)]);
    let bottom = |index: usize| low[index] & 0xffff | high[index] << 16;
    let top = |index: usize| low[index] >> 16 | high[index] & 0xffff_0000;
    [bottom(0), bottom(1), top(0), top(1)]
}

/// Output rows that are computed together, and the planes that they read.
struct Band {
    /// Output rows.
    rows: usize,
    /// Input rows of a plane.
    plane_rows: usize,
    /// Bytes from one row of a plane to the next.
    pitch: usize,
}

impl Band {
    /// As many rows as `bytes` of scratch have room for; `None` for what is not computed here.
    fn of(params: &Depthwise, bytes: usize) -> Option<Self> {
        let Depthwise { output, window, .. } = params;
        let [stride, step] = window.stride;
        let is_ours = window.kernel == [TAPS; 2]
            && window.dilation == [1; 2]
            && matches!(step, 1 | 2)
            && params.multiplier() == 1
            && output.channels.is_multiple_of(PLANES);
        // A word is read where the last output, or the last pair of them, begins.
        let last = if step == 1 {
            (output.width - 1) & !1
        } else {
            (output.width - 1) * step
        };
        let pitch = (last + 4).next_multiple_of(4);
        let plane_rows = bytes / PLANES / pitch;
        if !is_ours || plane_rows < TAPS {
            return None;
        }
        let rows = ((plane_rows - TAPS) / stride + 1).min(output.height);
        let plane_rows = (rows - 1) * stride + TAPS;
        Some(Self {
            rows,
            plane_rows,
            pitch,
        })
    }

    /// What all channels have in common of what is read by the kernel of a plane.
    fn frame(&self, params: &Depthwise) -> plane::Frame {
        let Depthwise { output, window, .. } = params;
        let (pairs, singles) = match window.stride[1] {
            1 => (output.width / 2, output.width % 2),
            _ => (0, output.width),
        };
        let columns = 2 * (pairs + singles);
        assert!(columns + 2 <= self.pitch);
        plane::Frame {
            pairs,
            singles,
            rows: self.rows,
            skip: (window.stride[0] * self.pitch).wrapping_sub(columns),
            pitch: self.pitch,
            channels: output.channels,
            bias: 0,
            mantissa: 0,
            offset: 0,
            outer: [0; TAPS],
            middle: 0,
            last: 0,
            plane: core::ptr::null(),
            outputs: core::ptr::null_mut(),
        }
    }

    /// Where a plane has the first tap of output `index`.
    fn first(&self, params: &Depthwise, index: usize) -> usize {
        let (width, [down, across]) = (params.output.width, params.window.stride);
        index / width * down * self.pitch + index % width * across
    }

    fn plane_len(&self) -> usize {
        self.plane_rows * self.pitch
    }

    /// Copies what output rows `first..first + rows` read of four channels to their planes.
    fn fill(
        &self,
        params: &Depthwise,
        input: &[i8],
        [first, rows]: [usize; 2],
        channel: usize,
        planes: &mut [i8],
    ) {
        let Depthwise {
            input: shape,
            output,
            window,
            ..
        } = params;
        let needed = (output.width - 1) * window.stride[1] + TAPS;
        let left = window.pad[1];
        let columns = shape.width.min(needed.saturating_sub(left));
        let top = first * window.stride[0];
        let plane_rows = (rows - 1) * window.stride[0] + TAPS;
        // Rows of the planes that are rows of the input.
        let start = window.pad[0].saturating_sub(top).min(plane_rows);
        let end = (window.pad[0] + shape.height).saturating_sub(top);
        let end = end.clamp(start, plane_rows);
        if rows != output.height {
            for plane in planes.chunks_exact_mut(self.plane_len()).take(PLANES) {
                plane[..start * self.pitch].fill(params.input_zero);
                plane[end * self.pitch..].fill(params.input_zero);
            }
        }
        if start == end || columns == 0 {
            return;
        }
        let from_pitch = shape.width * shape.channels;
        let from = &input[(top + start - window.pad[0]) * from_pitch + channel..];
        let to = &mut planes[start * self.pitch + left..];
        let (rows, plane_len) = (end - start, self.plane_len());
        let last = (rows - 1) * from_pitch + (columns - 1) * shape.channels;
        assert!(last + PLANES <= from.len());
        let last = (PLANES - 1) * plane_len + (rows - 1) * self.pitch;
        assert!(last + columns <= to.len());
        // SAFETY: the last pixel of the last row has four bytes, and a place in each plane, as the
        // assertions say.
        unsafe {
            plane::split(
                from.as_ptr(),
                to.as_mut_ptr(),
                shape.channels,
                plane_len,
                columns,
                rows,
                from_pitch,
                self.pitch,
            );
        }
    }
}
