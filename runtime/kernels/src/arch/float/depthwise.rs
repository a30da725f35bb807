//! Depthwise convolution of floats: a vector of channels of a few neighbouring pixels at a time,
//! which share the weights that are loaded.
//!
//! Several outputs a channel, and fewer channels than a vector has, are left to the portable kernel.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over arrays of registers are unrolled as indices alone"
)]

use super::vector::Vector;
use crate::float::conv2d::ConvReads;
use crate::float::depthwise::DepthwiseF32;
use crate::num::{Inside, Shape};

/// Most neighbouring pixels that are computed together.
const PIXELS: usize = 4;

/// Whether [`depthwise`] has vectors enough for these parameters.
pub fn has_vectors<V: Vector>(params: &DepthwiseF32) -> bool {
    params.multiplier() == 1 && params.input.channels >= V::LANES
}

/// As [`crate::float::depthwise::depthwise`].
///
/// # Safety
/// The processor has the vector's instructions, and the caller is compiled for them.
#[inline(always)]
pub(in crate::arch) unsafe fn depthwise<V: Vector>(
    params: &DepthwiseF32,
    reads: &ConvReads<'_>,
    output: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe { Layer { params, reads }.run::<V>(output) };
}

struct Layer<'a> {
    params: &'a DepthwiseF32,
    reads: &'a ConvReads<'a>,
}

impl Layer<'_> {
    /// # Safety
    /// As [`depthwise`].
    #[inline(always)]
    unsafe fn run<V: Vector>(&self, output: &mut [f32]) {
        let DepthwiseF32 {
            input,
            output: shape,
            window,
            ..
        } = *self.params;
        let channels = shape.channels;
        let [rows, columns] = window.kernel;
        // What the loops rely on.
        assert!(has_vectors::<V>(self.params));
        assert!(self.reads.input.len() >= input.len() && output.len() >= shape.len());
        assert!(self.reads.weights.len() >= rows * columns * channels);
        assert!(self.reads.bias.is_empty() || self.reads.bias.len() >= channels);
        for (y, line) in output.chunks_exact_mut(shape.width * channels).enumerate() {
            let rows = window.inside(0, y, input.height);
            let mut x = 0;
            while x < shape.width {
                let most = PIXELS.min(shape.width - x);
                let columns = window.inside(1, x, input.width);
                let is_whole = |out| window.inside(1, out, input.width).len() == window.kernel[1];
                let whole = (x..x + most).take_while(|&out| is_whole(out)).count();
                let pixels = Pixels {
                    layer: self,
                    rows,
                    columns,
                };
                let outputs = &mut line[x * channels..];
                // SAFETY: as this function's. Pixels computed together have all taps of a row.
                unsafe {
                    match whole {
                        4 => pixels.compute::<V, 4>(outputs),
                        3 => pixels.compute::<V, 3>(outputs),
                        2 => pixels.compute::<V, 2>(outputs),
                        _ => pixels.compute::<V, 1>(outputs),
                    }
                }
                x += whole.max(1);
            }
        }
    }
}

/// Neighbouring pixels, the first of which has these taps.
struct Pixels<'a> {
    layer: &'a Layer<'a>,
    rows: Inside,
    columns: Inside,
}

impl Pixels<'_> {
    /// Computes all channels of `P` pixels.
    ///
    /// # Safety
    /// As [`Layer::run`], after its assertions; the taps of all pixels lie inside of the input, and
    /// `outputs` has as many pixels.
    #[inline(always)]
    unsafe fn compute<V: Vector, const P: usize>(&self, outputs: &mut [f32]) {
        let DepthwiseF32 {
            output: Shape { channels, .. },
            min,
            max,
            ..
        } = *self.layer.params;
        assert!(outputs.len() >= P * channels);
        let mut first = 0;
        while first < channels {
            // The last vector overlaps the one before it: what it writes again is the same.
            let from = first.min(channels - V::LANES);
            // SAFETY: the caller's promise.
            unsafe {
                let sums = self.sums::<V, P>(from);
                for pixel in 0..P {
                    let to = outputs.as_mut_ptr().add(pixel * channels + from);
                    sums[pixel].clip(V::splat(min), V::splat(max)).store(to);
                }
            }
            first += V::LANES;
        }
    }

    /// The sums of a vector of channels from `first` on, of `P` pixels.
    ///
    /// # Safety
    /// As [`Pixels::compute`].
    #[inline(always)]
    unsafe fn sums<V: Vector, const P: usize>(&self, first: usize) -> [V; P] {
        let DepthwiseF32 { input, window, .. } = *self.layer.params;
        let reads = self.layer.reads;
        let step = window.stride[1] * input.channels;
        // SAFETY: the caller's promise: every tap is a pixel of the input, and has its weights.
        unsafe {
            let mut sums = [V::splat(0.0); P];
            if !reads.bias.is_empty() {
                sums = [V::load(reads.bias.as_ptr().add(first)); P];
            }
            for row in 0..self.rows.len() {
                let y = self.rows.origin + row * window.dilation[0];
                let tap = (self.rows.start + row) * window.kernel[1] + self.columns.start;
                for column in 0..self.columns.len() {
                    let x = self.columns.origin + column * window.dilation[1];
                    let at = (tap + column) * input.channels + first;
                    let weights = V::load(reads.weights.as_ptr().add(at));
                    let at = (y * input.width + x) * input.channels + first;
                    let from = reads.input.as_ptr().add(at);
                    for pixel in 0..P {
                        let values = V::load(from.add(pixel * step));
                        sums[pixel] = sums[pixel].add_product(values, weights);
                    }
                }
            }
            sums
        }
    }
}
