//! Depthwise convolution with a 3×3 window: one channel at a time, as a plane.
//!
//! Four neighbouring channels are copied out of the input, a band of rows at a time, into four
//! planes with their padding, and `plane` makes all outputs of each.
//! Other windows, channel multipliers and channels that are no multiple of four are left to
//! [`generic`].

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
    if rows == band.rows {
        // What pads the only band stays as it is from channel to channel.
        planes[..PLANES * band.plane_len()].fill(params.input_zero);
    }
    for channel in (0..channels).step_by(PLANES) {
        let words = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|tap| {
            let weights = &constants.weights[tap * channels + channel..];
            let lanes: [i8; PLANES] = weights.first_chunk().copied().unwrap_or_default();
            u32::from_le_bytes(lanes.map(|lane| lane as u8))
        });
        for first in (0..rows).step_by(band.rows) {
            let rows = band.rows.min(rows - first);
            band.fill(params, input, [first, rows], channel, planes);
            let outputs = &mut output[first * row_len..][..rows * row_len];
            for lane in 0..PLANES {
                let plane = &planes[lane * band.plane_len()..][..band.plane_len()];
                let outputs = &mut outputs[channel + lane..];
                let layer = Layer {
                    params,
                    constants,
                    channel: channel + lane,
                    words: &words,
                    lane,
                };
                let factor = constants.multiplier(channel + lane);
                match Folded::new(factor, params.store) {
                    Some(folded) => layer.convolve(folded, plane, band.pitch, rows, outputs),
                    None => layer.convolve_slowly(plane, band.pitch, outputs),
                }
            }
        }
    }
    params.store.clamp(output);
}

/// One output channel.
struct Layer<'a> {
    params: &'a Depthwise,
    constants: &'a ConvConstants<'a>,
    channel: usize,
    /// Weights of each tap for the four channels of a word, of which this is one.
    words: &'a [u32; TAPS * TAPS],
    /// Its place among the four.
    lane: usize,
}

impl Layer<'_> {
    #[inline(always)]
    fn weight(&self, row: usize, column: usize) -> i32 {
        i32::from((self.words[row * TAPS + column] >> (8 * self.lane)) as i8)
    }

    /// Writes `rows` rows, the first element of which is the first output, from their plane.
    fn convolve(
        &self,
        folded: Folded,
        plane: &[i8],
        pitch: usize,
        rows: usize,
        outputs: &mut [i8],
    ) {
        let Depthwise { output, window, .. } = self.params;
        let [step, column_step] = window.stride;
        let (pairs, singles) = match column_step {
            1 => (output.width / 2, output.width % 2),
            _ => (0, output.width),
        };
        let columns = 2 * (pairs + singles);
        let row_last = (rows - 1) * step * pitch;
        assert!(row_last + (TAPS - 1) * pitch + columns + 2 <= plane.len());
        assert!((rows * output.width - 1) * output.channels < outputs.len());
        let halves = |low: i32, high: i32| low as u32 & 0xffff | (high as u32) << 16;
        let frame = plane::Frame {
            bias: self.constants.bias[self.channel],
            mantissa: self.constants.mantissas[self.channel],
            offset: folded.offset,
            pairs,
            rows,
            skip: (step * pitch).wrapping_sub(columns),
            singles,
            outer: [0, 1, 2].map(|row| halves(self.weight(row, 0), self.weight(row, 2))),
            middle: halves(self.weight(0, 1), self.weight(1, 1)),
            last: halves(folded.shift, self.weight(2, 1)),
            pitch,
            channels: output.channels,
            plane: plane.as_ptr(),
            outputs: outputs.as_mut_ptr(),
        };
        // SAFETY: rows, columns and outputs are there, as the assertions say.
        unsafe { plane::convolve(&frame) };
    }

    /// As `convolve`, for any shift.
    fn convolve_slowly(&self, plane: &[i8], pitch: usize, outputs: &mut [i8]) {
        let Depthwise { output, window, .. } = self.params;
        for (index, out) in outputs.iter_mut().step_by(output.channels).enumerate() {
            let [y, x] = [index / output.width, index % output.width];
            let first = y * window.stride[0] * pitch + x * window.stride[1];
            let mut sum = 0;
            for tap in 0..TAPS * TAPS {
                let (row, column) = (tap / TAPS, tap % TAPS);
                let value = plane[first + row * pitch + column];
                sum += i32::from(value) * self.weight(row, column);
            }
            *out = self.constants.output(self.channel, sum, self.params.store);
        }
    }
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
        let inside = |row: usize| (window.pad[0]..window.pad[0] + shape.height).contains(&row);
        let whole = columns == needed && inside(top) && inside(top + plane_rows - 1);
        if !whole && rows != output.height {
            planes[..PLANES * self.plane_len()].fill(params.input_zero);
        }
        for row in (0..plane_rows).filter(|row| inside(top + row)) {
            let from = (top + row - window.pad[0]) * shape.width * shape.channels + channel;
            let to = row * self.pitch + left;
            split(
                &input[from..],
                shape.channels,
                columns,
                &mut planes[to..],
                self.plane_len(),
            );
        }
    }
}

/// Copies four channels of `columns` pixels, of `channels` each, to planes `plane_len` apart.
#[inline(always)]
fn split(input: &[i8], channels: usize, columns: usize, planes: &mut [i8], plane_len: usize) {
    if columns == 0 {
        return;
    }
    assert!((columns - 1) * channels + PLANES <= input.len());
    assert!((PLANES - 1) * plane_len + columns <= planes.len());
    // SAFETY: each pixel has four bytes, and a place in each plane, as the assertions say.
    unsafe {
        plane::split(
            input.as_ptr(),
            planes.as_mut_ptr(),
            channels,
            plane_len,
            columns,
        );
    }
}
