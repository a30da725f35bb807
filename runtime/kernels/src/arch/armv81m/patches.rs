//! What the pixels of a convolution read, pixel by pixel: runs of the input, or patches in the
//! scratch that are collected from it, with its zero point where they lie outside.

use super::copy::copy;
use crate::arch::patch::collect;
use crate::num::Window;
use crate::reference::conv2d::Conv2d;
use core::arch::naked_asm;
use core::ops::Range;

/// What each output pixel reads.
pub struct Patches<'a> {
    params: &'a Conv2d,
    input: &'a [i8],
    /// Whether each output pixel reads the input pixel of its own number.
    in_place: bool,
}

impl<'a> Patches<'a> {
    /// The patches of `input`.
    pub fn new(params: &'a Conv2d, input: &'a [i8]) -> Self {
        let Window {
            kernel,
            stride,
            pad,
            ..
        } = params.window;
        let pointwise = [kernel, stride] == [[1, 1]; 2] && pad == [0, 0];
        Self {
            params,
            input,
            in_place: pointwise && params.output.width == params.input.width,
        }
    }

    /// Whether `room` is large enough for [`Self::for_each`].
    pub fn fit(&self, room: &[i8]) -> bool {
        self.in_place || self.params.taps() <= room.len()
    }

    /// Calls `each` with what a run of pixels reads, and with the outputs of these pixels.
    pub fn for_each(
        &self,
        room: &mut [i8],
        output: &mut [i8],
        mut each: impl FnMut(&[i8], &mut [i8]),
    ) {
        let (taps, channels) = (self.params.taps(), self.params.output.channels);
        if self.in_place {
            let pixels = output.len() / channels;
            return each(&self.input[..pixels * taps], output);
        }
        let width = self.params.output.width;
        let run = (room.len() / taps).min(width);
        let inner = self.inner();
        for (y, outputs) in output.chunks_exact_mut(width * channels).enumerate() {
            for (index, outputs) in outputs.chunks_mut(run * channels).enumerate() {
                let first = index * run;
                let columns = first..first + outputs.len() / channels;
                let patches = &mut room[..columns.len() * taps];
                self.collect(y, columns, &inner, patches);
                each(patches, outputs);
            }
        }
    }

    /// The columns of the outputs whose patches lie inside of the input from side to side.
    fn inner(&self) -> Range<usize> {
        let Conv2d { input, window, .. } = self.params;
        let (stride, pad) = (window.stride[1], window.pad[1]);
        let end = (input.width + pad).checked_sub(window.kernel[1]);
        let end = end.map_or(0, |last| last / stride + 1);
        if window.dilation == [1, 1] {
            pad.div_ceil(stride)..end
        } else {
            0..0
        }
    }

    /// Copies the patches of `columns` in row `y` of the outputs.
    fn collect(&self, y: usize, columns: Range<usize>, inner: &Range<usize>, patches: &mut [i8]) {
        let Conv2d { input, window, .. } = self.params;
        let taps = self.params.taps();
        let rows = window.inside(0, y, input.height);
        let whole = rows.len() == window.kernel[0];
        let start = inner.start.clamp(columns.start, columns.end);
        let end = inner.end.clamp(start, columns.end);
        let inner = if whole { start..end } else { end..end };
        for x in (columns.start..inner.start).chain(inner.end..columns.end) {
            let patch = &mut patches[(x - columns.start) * taps..][..taps];
            let zero = self.params.input_zero;
            collect(*input, window, zero, self.input, [y, x], patch, copy);
        }
        if inner.is_empty() {
            return;
        }
        let shape = Shape {
            rows: window.kernel[0],
            run: window.kernel[1] * input.channels,
            pitch: input.width * input.channels,
            step: window.stride[1] * input.channels,
            pixels: inner.len(),
        };
        let x = inner.start * window.stride[1] - window.pad[1];
        let from = &self.input[rows.origin * shape.pitch + x * input.channels..];
        let to = &mut patches[(inner.start - columns.start) * taps..];
        let last = (shape.rows - 1) * shape.pitch + (shape.pixels - 1) * shape.step;
        assert!(last + shape.run <= from.len() && shape.pixels * taps <= to.len());
        // SAFETY: the last run of the last pixel lies inside of the input, and there is room for
        // every tap, as the assertion says.
        unsafe { collect_pixels(&shape, from.as_ptr(), to.as_mut_ptr()) };
    }
}

/// What [`collect_pixels`] copies; no number is 0.
#[repr(C)]
struct Shape {
    /// Runs of a patch.
    rows: usize,
    /// Bytes of a run.
    run: usize,
    /// Bytes from one run to the next.
    pitch: usize,
    /// Bytes from one patch to the next.
    step: usize,
    /// Patches.
    pixels: usize,
}

/// Copies patches, one after another.
///
/// # Safety
/// Every run can be read, and there is room for all of them.
#[unsafe(naked)]
unsafe extern "C" fn collect_pixels(shape: &Shape, from: *const i8, to: *mut i8) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r9, lr}}",
        "ldm r0, {{r4-r8}}",
        "1:",
        "mov r0, r1",
        "mov r3, r4",
        "2:",
        "mov r9, r0",
        "mov r12, r2",
        "dlstp.8 lr, r5",
        "3:",
        "vldrb.u8 q0, [r9], #16",
        "vstrb.8 q0, [r12], #16",
        "letp lr, 3b",
        "add r0, r6",
        "add r2, r5",
        "subs r3, #1",
        "bne 2b",
        "add r1, r7",
        "subs r8, #1",
        "bne 1b",
        "pop {{r4-r9, pc}}",
    )
}
