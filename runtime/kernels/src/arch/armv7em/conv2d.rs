//! Convolution: four output pixels at a time, whose inputs are widened once for all channels.
//!
//! What one output pixel reads is a patch: kernel rows, each a run of neighbouring bytes of the
//! input, with the input's zero point where it lies outside. Groups, patches of fewer than four
//! taps and patches too large for the scratch are left to [`generic`].

use super::SCRATCH_BYTES;
use super::block::{self, Frame};
use super::dot::{self, PIXELS, TAPS};
use super::finish;
use crate::generic;
use crate::packing::Packing;
use crate::reference::conv2d::{Conv2d, ConvConstants};

/// Words of scratch.
const WORDS: usize = SCRATCH_BYTES / size_of::<u32>();

/// Most taps of a patch that is collected from several runs.
const TAPS_MAX: usize = WORDS / (2 * PIXELS) * TAPS;

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
    let fits = if patches.direct && output.len() / channels < PIXELS {
        dot::words(taps, 1) <= WORDS
    } else {
        taps <= TAPS_MAX
    };
    if params.packing != Packing::ROWS || params.groups != 1 || taps < TAPS || !fits {
        return generic::conv2d::conv2d(params, constants, input, scratch, output);
    }
    let layer = Layer {
        params,
        constants,
        taps,
    };
    let (mut wide, mut collected) = ([0; WORDS], [0; PIXELS * TAPS_MAX]);
    let mut blocks = output.chunks_exact_mut(PIXELS * channels);
    let mut pixel = 0;
    for outputs in &mut blocks {
        patches.widen(pixel, PIXELS, &mut collected, &mut wide);
        layer.convolve(&wide, PIXELS, outputs);
        pixel += PIXELS;
    }
    for outputs in blocks.into_remainder().chunks_exact_mut(channels) {
        patches.widen(pixel, 1, &mut collected, &mut wide);
        layer.convolve(&wide, 1, outputs);
        pixel += 1;
    }
}

/// The constants of all output channels.
struct Layer<'a> {
    params: &'a Conv2d,
    constants: &'a ConvConstants<'a>,
    taps: usize,
}

impl Layer<'_> {
    /// Writes all channels of one pixel, or of [`PIXELS`].
    fn convolve(&self, wide: &[u32], pixels: usize, outputs: &mut [i8]) {
        let Self {
            params,
            constants,
            taps,
            ..
        } = *self;
        let channels = params.output.channels;
        let ours = if pixels == 1 {
            channels / 4 * 4
        } else {
            channels
        };
        assert!(wide.len() >= dot::words(taps, pixels) && outputs.len() == pixels * channels);
        assert!(taps >= TAPS && constants.weights.len() == channels * taps);
        let arguments = [
            constants.bias.len(),
            constants.mantissas.len(),
            constants.shifts.len(),
        ];
        assert!(arguments == [channels; 3]);
        let frame = Frame {
            wide: wide.as_ptr(),
            steps: taps / TAPS,
            bias: constants.bias.as_ptr(),
            mantissas: constants.mantissas.as_ptr(),
            shifts: constants.shifts.as_ptr(),
            channels: ours,
            zero: i32::from(params.store.zero),
            outputs: outputs.as_mut_ptr(),
            back: (TAPS - taps % TAPS) % TAPS,
            taps,
        };
        let weights = constants.weights.as_ptr();
        // SAFETY: the lengths are as the assertions say; `ours` is not 0 where it is passed on.
        unsafe {
            if pixels == PIXELS {
                block::four_pixels(&frame, weights);
            } else if ours > 0 {
                block::one_pixel(&frame, weights);
            }
        }
        finish::clamp(params.store, outputs);
        // Only one pixel has channels left.
        let left = if pixels == 1 { ours } else { outputs.len() };
        for (channel, out) in outputs.iter_mut().enumerate().skip(left) {
            let sum = dot::one_pixel(&constants.weights[channel * taps..][..taps], wide);
            *out = constants.output(channel, sum, params.store);
        }
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
        let collected = &mut collected[..pixels * pitch];
        for patch in collected.chunks_exact_mut(pitch) {
            self.collect([y, x], patch);
            dot::split_last(patch, taps);
            x += 1;
            if x == width {
                (y, x) = (y + 1, 0);
            }
        }
        dot::widen(collected, pixels, wide);
    }

    /// Copies the patch of the output pixel at `at`, in the weights' order.
    fn collect(&self, at: [usize; 2], patch: &mut [i8]) {
        let Conv2d { input, window, .. } = self.params;
        // Wraps around where it is padding.
        let first = |axis: usize| (at[axis] * window.stride[axis]).wrapping_sub(window.pad[axis]);
        let [y, x] = [first(0), first(1)];
        let [rows, columns] = window.kernel;
        let inside =
            |first: usize, taps: usize, extent: usize| taps <= extent && first <= extent - taps;
        let whole = inside(y, rows, input.height) && inside(x, columns, input.width);
        if whole && window.dilation == [1, 1] {
            let (pitch, run) = (input.width * input.channels, columns * input.channels);
            let from = &self.input[(y * input.width + x) * input.channels..];
            for (row, to) in patch.chunks_exact_mut(run).take(rows).enumerate() {
                dot::copy(&from[row * pitch..][..run], to);
            }
            return;
        }
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
