//! Depthwise convolution with a 3×3 window: one channel at a time, as a plane.
//!
//! Four neighbouring channels are copied out of the input, a band of rows at a time, into four
//! planes with their padding. In a plane, the word at a column has what two neighbouring outputs
//! read in that row: `SXTB16` makes (x0, x2) and (x1, x3) of it, and the outputs are
//! x0·w0 + x1·w1 + x2·w2 and x1·w0 + x2·w1 + x3·w2. The outer two products are one `SMLAD`.
//! Other windows, channel multipliers and channels that are no multiple of four are left to
//! [`generic`].

use super::SCRATCH_BYTES;
use super::dsp::{smlabb, smlad, smlatb, sxtb16, sxtb16_ror8};
use super::finish::{Finish, Store};
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
    output: &mut [i8],
) {
    let Some(band) = Band::of(params) else {
        return generic::depthwise::depthwise(params, constants, input, output);
    };
    let mut scratch = [0; SCRATCH_BYTES];
    let (rows, channels) = (params.output.height, params.output.channels);
    let row_len = params.output.width * channels;
    for channel in (0..channels).step_by(PLANES) {
        for first in (0..rows).step_by(band.rows) {
            let rows = band.rows.min(rows - first);
            band.fill(params, input, [first, rows], channel, &mut scratch);
            let outputs = &mut output[first * row_len..][..rows * row_len];
            for plane in 0..PLANES {
                let channel = channel + plane;
                let taps = Taps::new(constants.weights, channels, channel);
                let plane = &scratch[plane * band.plane_len()..][..band.plane_len()];
                let outputs = &mut outputs[channel..];
                let finish = Finish::new(constants, params.store, channel);
                match finish.high_word() {
                    Some(short) => band.convolve(params, plane, &taps, finish.bias, short, outputs),
                    None => band.convolve(params, plane, &taps, finish.bias, finish, outputs),
                }
            }
        }
    }
}

/// The weights of one channel, as the instructions want them: of each row the outer two, and the
/// middle one.
struct Taps {
    outer: [u32; TAPS],
    middle: [u32; TAPS],
}

impl Taps {
    fn new(weights: &[i8], channels: usize, channel: usize) -> Self {
        let weight = |row: usize, column: usize| {
            i32::from(weights[(row * TAPS + column) * channels + channel]) as u32
        };
        let rows = [0, 1, 2];
        Self {
            outer: rows.map(|row| weight(row, 0) & 0xffff | weight(row, 2) << 16),
            middle: rows.map(|row| weight(row, 1)),
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
    /// As many rows as the scratch has room for; `None` for what is not computed here.
    fn of(params: &Depthwise) -> Option<Self> {
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
        let plane_rows = SCRATCH_BYTES / PLANES / pitch;
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
        planes: &mut [i8; SCRATCH_BYTES],
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
        if !whole {
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

    /// Writes the outputs of one channel, the first of which is the first element.
    #[inline(always)]
    fn convolve(
        &self,
        params: &Depthwise,
        plane: &[i8],
        taps: &Taps,
        bias: i32,
        finish: impl Store,
        outputs: &mut [i8],
    ) {
        let Depthwise { output, window, .. } = params;
        let row_len = output.width * output.channels;
        let step = window.stride[0] * self.pitch;
        for (row, outputs) in outputs.chunks_mut(row_len).enumerate() {
            let line = Line {
                plane: &plane[row * step..],
                pitch: self.pitch,
                taps,
                bias,
            };
            if window.stride[1] == 1 {
                line.convolve(finish, output.width, output.channels, outputs);
            } else {
                line.convolve_strided(finish, output.width, output.channels, outputs);
            }
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
    let (mut from, mut to) = (input.as_ptr(), planes.as_mut_ptr());
    for _ in 0..columns {
        // SAFETY: pixel `n` has four bytes at `n·channels`, and a place at `n` of each plane.
        unsafe {
            let word = from.cast::<u32>().read_unaligned();
            to.write(word as i8);
            to.wrapping_add(plane_len).write((word >> 8) as i8);
            to.wrapping_add(2 * plane_len).write((word >> 16) as i8);
            to.wrapping_add(3 * plane_len).write((word >> 24) as i8);
        }
        (from, to) = (from.wrapping_add(channels), to.wrapping_add(1));
    }
}

/// The rows of a plane that one row of outputs reads.
struct Line<'a> {
    plane: &'a [i8],
    pitch: usize,
    taps: &'a Taps,
    bias: i32,
}

impl Line<'_> {
    /// Outputs of neighbouring columns, two at a time.
    #[inline(always)]
    fn convolve(&self, finish: impl Store, width: usize, channels: usize, outputs: &mut [i8]) {
        self.check(width.div_ceil(2) * 2 + 2, width, channels, outputs);
        let (mut from, mut to) = (self.plane.as_ptr(), outputs.as_mut_ptr());
        for _ in 0..width / 2 {
            let [first, second] = self.pair(from);
            // SAFETY: `check` found room for every output.
            unsafe {
                to.write(finish.output(first));
                to.wrapping_add(channels).write(finish.output(second));
            }
            (from, to) = (from.wrapping_add(2), to.wrapping_add(2 * channels));
        }
        if width % 2 == 1 {
            // SAFETY: as above.
            unsafe { to.write(finish.output(self.pair(from)[0])) };
        }
    }

    /// Outputs that read every second column.
    #[inline(always)]
    fn convolve_strided(
        &self,
        finish: impl Store,
        width: usize,
        channels: usize,
        outputs: &mut [i8],
    ) {
        self.check(width * 2 + 2, width, channels, outputs);
        let (mut from, mut to) = (self.plane.as_ptr(), outputs.as_mut_ptr());
        for _ in 0..width {
            // SAFETY: `check` found room for every output.
            unsafe { to.write(finish.output(self.pair(from)[0])) };
            (from, to) = (from.wrapping_add(2), to.wrapping_add(channels));
        }
    }

    /// That three rows of `columns` columns are there, and room for `width` outputs.
    #[inline(always)]
    fn check(&self, columns: usize, width: usize, channels: usize, outputs: &[i8]) {
        assert!((TAPS - 1) * self.pitch + columns <= self.plane.len());
        assert!((width - 1) * channels < outputs.len());
    }

    /// The sums of the output whose first column is `from`, and of its neighbour.
    #[inline(always)]
    fn pair(&self, from: *const i8) -> [i32; 2] {
        let (mut first, mut second) = (self.bias, self.bias);
        for row in 0..TAPS {
            // SAFETY: both callers checked that the row has four columns from here.
            let word = unsafe {
                let at = from.wrapping_add(row * self.pitch);
                at.cast::<u32>().read_unaligned()
            };
            let (even, odd) = (sxtb16(word), sxtb16_ror8(word));
            let (outer, middle) = (self.taps.outer[row], self.taps.middle[row]);
            first = smlabb(odd, middle, smlad(even, outer, first));
            second = smlatb(even, middle, smlad(odd, outer, second));
        }
        [first, second]
    }
}
