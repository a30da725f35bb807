//! Convolution: four output pixels at a time, whose inputs are widened once for all channels, or
//! one pixel, four channels at a time.
//!
//! What one output pixel reads is a patch: kernel rows, each a run of neighbouring bytes of the
//! input, with the input's zero point where it lies outside. Groups, other packings than
//! [`PIXELWISE`] and [`CHANNELWISE`], and patches too large for the scratch are left to [`generic`].

use super::block::{self, Channels, Pixels};
use super::dot::{self, PIXELS, TAPS};
use super::finish::Channel;
use crate::arch::scratch::STACK_WORDS;
use crate::arch::stack::Stack;
use crate::generic;
use crate::packing::Packing;
use crate::reference::conv2d::{Conv2d, ConvConstants};

/// Rows of whole words, for outputs of four pixels or more.
const PIXELWISE: Packing = Packing::new(1, 4);
/// The words of four channels side by side, for fewer pixels.
const CHANNELWISE: Packing = Packing::new(4, 4);

/// As [`crate::reference::conv2d::conv2d`].
pub fn conv2d(
    params: &Conv2d,
    constants: &ConvConstants<'_>,
    input: &[i8],
    scratch: &mut [u8],
    output: &mut [i8],
) {
    let (taps, channels) = (params.taps(), params.output.channels);
    assert!(output.len() == params.output.len() && params.groups > 0);
    let arguments = [
        constants.bias.len(),
        constants.mantissas.len(),
        constants.shifts.len(),
    ];
    assert!(arguments == [channels; 3] && constants.weights.len() == params.weights_len());
    let mut stack = Stack::<STACK_WORDS>::new();
    let room = stack.or(scratch);
    let layer = Layer {
        params,
        constants,
        patches: Patches::new(params, input),
        pitch: taps.next_multiple_of(TAPS),
    };
    let many = output.len() >= PIXELS * channels;
    let in_words = params.packing == PIXELWISE
        || params.packing == Packing::ROWS && params.groups == 1 && taps.is_multiple_of(TAPS);
    let done = if in_words && many {
        layer.by_pixels(room, output)
    } else if params.packing == CHANNELWISE {
        layer.by_channels(room, output)
    } else {
        false
    };
    if done {
        params.store.clamp(output);
    } else {
        generic::conv2d::conv2d(params, constants, input, &mut [], output);
    }
}

/// A convolution, and what its pixels read.
struct Layer<'a> {
    params: &'a Conv2d,
    constants: &'a ConvConstants<'a>,
    patches: Patches<'a>,
    /// Taps of a channel in whole words.
    pitch: usize,
}

impl Layer<'_> {
    /// Computes four pixels at a time; the last four may overlap those before, unless they are
    /// one. `false` if the scratch is too small.
    fn by_pixels(&self, room: &mut [u32], output: &mut [i8]) -> bool {
        let channels = self.params.output.channels;
        let Some((wide, rest)) = room.split_at_mut_checked(dot::words(self.pitch, PIXELS)) else {
            return false;
        };
        let Some((table, rest)) = rest.split_at_mut_checked(channels * Channel::WORDS) else {
            return false;
        };
        let collected = bytemuck::cast_slice_mut(rest);
        if !self.patches.direct && collected.len() < PIXELS * self.pitch {
            return false;
        }
        let table = bytemuck::cast_slice_mut::<u32, Channel>(table);
        for (channel, entry) in table.iter_mut().enumerate() {
            let factor = self.constants.multiplier(channel);
            let bias = self.constants.bias[channel];
            *entry = Channel::new(bias, factor, self.params.store);
        }
        let pixels = output.len() / channels;
        let single = pixels % PIXELS == 1;
        for first in (0..pixels - usize::from(single)).step_by(PIXELS) {
            let first = first.min(pixels - PIXELS);
            self.patches.widen(first, PIXELS, collected, wide);
            let outputs = &mut output[first * channels..][..PIXELS * channels];
            let frame = Pixels {
                wide: wide.as_ptr(),
                groups: self.pitch / TAPS,
                table: table.as_ptr(),
                outputs: outputs.as_mut_ptr(),
                channels,
            };
            // SAFETY: `conv2d` has checked that the weights are as long as the parameters say,
            // here are the inputs and the outputs of four pixels, and an entry a channel.
            unsafe { block::four_pixels(&frame, self.constants.weights.as_ptr()) };
        }
        if single {
            self.patches.widen(pixels - 1, 1, collected, wide);
            let outputs = &mut output[(pixels - 1) * channels..];
            let rows = self.constants.weights.chunks_exact(self.pitch);
            for (channel, (row, out)) in rows.zip(outputs).enumerate() {
                let sum = dot::one_pixel(row.chunks_exact(TAPS), wide);
                *out = self.constants.output(channel, sum, self.params.store);
            }
        }
        true
    }

    /// Computes one pixel at a time; `false` if the scratch is too small.
    fn by_channels(&self, room: &mut [u32], output: &mut [i8]) -> bool {
        let channels = self.params.output.channels;
        let Some((wide, rest)) = room.split_at_mut_checked(dot::words(self.pitch, 1)) else {
            return false;
        };
        let collected = bytemuck::cast_slice_mut(rest);
        if !self.patches.direct && collected.len() < self.pitch {
            return false;
        }
        let whole = channels / 4 * 4;
        for (pixel, outputs) in output.chunks_exact_mut(channels).enumerate() {
            self.patches.widen(pixel, 1, collected, wide);
            if whole > 0 {
                let frame = Channels {
                    wide: wide.as_ptr(),
                    groups: self.pitch / TAPS,
                    bias: self.constants.bias.as_ptr(),
                    mantissas: self.constants.mantissas.as_ptr(),
                    shifts: self.constants.shifts.as_ptr(),
                    channels: whole,
                    zero: i32::from(self.params.store.zero),
                    outputs: outputs.as_mut_ptr(),
                };
                // SAFETY: `conv2d` has checked that weights and constants are as long as the
                // parameters say; here are the inputs and outputs of a pixel.
                unsafe { block::four_channels(&frame, self.constants.weights.as_ptr()) };
            }
            for (channel, out) in outputs.iter_mut().enumerate().skip(whole) {
                let packed = &self.constants.weights[whole * self.pitch..];
                let words = packed[(channel - whole) * TAPS..].chunks(4 * TAPS);
                let sum = dot::one_pixel(words.take(self.pitch / TAPS), wide);
                *out = self.constants.output(channel, sum, self.params.store);
            }
        }
        true
    }
}

/// What output pixels read.
struct Patches<'a> {
    params: &'a Conv2d,
    input: &'a [i8],
    /// Whether each output pixel reads the input pixel of its own number, in whole words.
    direct: bool,
}

/// A part of a patch.
enum Run<'a> {
    Inside(&'a [i8]),
    Padding(usize),
}

impl Run<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Inside(taps) => taps.len(),
            Self::Padding(taps) => *taps,
        }
    }
}

impl<'a> Patches<'a> {
    fn new(params: &'a Conv2d, input: &'a [i8]) -> Self {
        let Conv2d {
            input: from,
            output,
            window,
            ..
        } = params;
        let pointwise = window.kernel == [1, 1] && window.stride == [1, 1];
        let direct = pointwise && from.width == output.width && from.channels % TAPS == 0;
        Self {
            params,
            input,
            direct,
        }
    }

    /// Widens the patches of `pixels` output pixels from `first`.
    fn widen(&self, first: usize, pixels: usize, collected: &mut [i8], wide: &mut [u32]) {
        let taps = self.params.taps();
        if self.direct {
            return dot::widen(&self.input[first * taps..][..pixels * taps], pixels, wide);
        }
        let (width, pitch) = (self.params.output.width, taps.next_multiple_of(TAPS));
        let [mut y, mut x] = [first / width, first % width];
        // The taps that pad a patch have weights of zero: what lies there does not matter.
        let collected = &mut collected[..pixels * pitch];
        if let Some(mut from) = self.inner([y, x], pixels) {
            for patch in collected.chunks_exact_mut(pitch) {
                self.copy(&self.input[from..], patch);
                from += self.params.window.stride[1] * self.params.input.channels;
            }
        } else {
            for patch in collected.chunks_exact_mut(pitch) {
                match self.inner([y, x], 1) {
                    Some(from) => self.copy(&self.input[from..], patch),
                    None => self.collect([y, x], patch),
                }
                x += 1;
                if x == width {
                    (y, x) = (y + 1, 0);
                }
            }
        }
        dot::widen(collected, pixels, wide);
    }

    /// Where the patches of `pixels` output pixels from `at` on begin, if all are in its row and
    /// inside of the input, and dense.
    fn inner(&self, at: [usize; 2], pixels: usize) -> Option<usize> {
        let Conv2d {
            input,
            output,
            window,
            ..
        } = self.params;
        let [rows, columns] = window.kernel;
        // Wraps around where it is padding.
        let first = |axis: usize| (at[axis] * window.stride[axis]).wrapping_sub(window.pad[axis]);
        let [y, x] = [first(0), first(1)];
        let columns = columns + (pixels - 1) * window.stride[1];
        let inside =
            |first: usize, taps: usize, extent: usize| taps <= extent && first <= extent - taps;
        let whole = inside(y, rows, input.height) && inside(x, columns, input.width);
        let is_run = at[1] + pixels <= output.width && window.dilation == [1, 1];
        (whole && is_run).then(|| (y * input.width + x) * input.channels)
    }

    /// Copies a patch that is inside of the input, from its first tap on.
    #[inline(always)]
    fn copy(&self, from: &[i8], patch: &mut [i8]) {
        let Conv2d { input, window, .. } = self.params;
        let [rows, columns] = window.kernel;
        let (pitch, run) = (input.width * input.channels, columns * input.channels);
        let in_words = (from.as_ptr().addr() | pitch | run).is_multiple_of(TAPS);
        if run >= TAPS && !in_words {
            return dot::copy_runs(from, pitch, run, rows, patch);
        }
        for (row, to) in patch.chunks_exact_mut(run).take(rows).enumerate() {
            dot::copy(&from[row * pitch..][..run], to);
        }
    }

    /// Copies the patch of the output pixel at `at`, in the weights' order.
    fn collect(&self, at: [usize; 2], patch: &mut [i8]) {
        let mut filled = 0;
        self.for_runs(at, |run| {
            let to = &mut patch[filled..][..run.len()];
            filled += run.len();
            match run {
                Run::Inside(taps) => dot::copy(taps, to),
                Run::Padding(_) => to.fill(self.params.input_zero),
            }
        });
    }

    /// The runs of the patch of the output pixel at `at`, in the weights' order; some are empty.
    fn for_runs(&self, at: [usize; 2], mut each: impl FnMut(Run<'a>)) {
        let Conv2d { input, window, .. } = self.params;
        let depth = input.channels;
        let rows = window.inside(0, at[0], input.height);
        let columns = window.inside(1, at[1], input.width);
        let line = window.kernel[1] * depth;
        // Neighbouring taps are neighbours in the input too, unless they are spread.
        let taps = if window.dilation[1] == 1 {
            columns.len()
        } else {
            1
        };
        each(Run::Padding(rows.start * line));
        for row in 0..rows.len() {
            let y = rows.origin + row * window.dilation[0];
            each(Run::Padding(columns.start * depth));
            for column in (0..columns.len()).step_by(taps.max(1)) {
                let x = columns.origin + column * window.dilation[1];
                let first = (y * input.width + x) * depth;
                each(Run::Inside(&self.input[first..][..taps * depth]));
            }
            each(Run::Padding(line - columns.end * depth));
        }
        each(Run::Padding((window.kernel[0] - rows.end) * line));
    }
}
