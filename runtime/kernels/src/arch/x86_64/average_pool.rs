//! Average pool: the sums of 64 channels at a time, of four taps by one dot product with ones.

use super::finish;
use super::isa::{BYTES, Isa, LANES, Work};
use crate::reference::average_pool::AveragePool;

/// Taps that are added up together.
const TAPS: usize = 4;

/// As [`crate::reference::average_pool::average_pool`].
pub fn average_pool<I: Isa>(params: &AveragePool, input: &[i8], output: &mut [i8]) {
    I::enter(Layer {
        params,
        input,
        output,
    });
}

/// A pool and its operands.
struct Layer<'a> {
    params: &'a AveragePool,
    input: &'a [i8],
    output: &'a mut [i8],
}

impl Work for Layer<'_> {
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self { params, input, .. } = self;
        let (shape, window) = (params.input, &params.window);
        let (width, depth) = (params.output.width, shape.channels);
        for (pixel, outputs) in self.output.chunks_exact_mut(depth).enumerate() {
            let rows = window.inside(0, pixel / width, shape.height);
            let columns = window.inside(1, pixel % width, shape.width);
            let count = (rows.len() * columns.len()) as i32;
            for (block, outputs) in outputs.chunks_mut(BYTES).enumerate() {
                let mut sums = Sums::<I>::new(outputs.len());
                for y in rows.origin..rows.origin + rows.len() {
                    let line = (y * shape.width + columns.origin) * depth;
                    let line = &input[line..][..columns.len() * depth];
                    for values in line.chunks_exact(depth) {
                        sums.add(&values[block * BYTES..][..outputs.len()]);
                    }
                }
                for (out, sum) in outputs.iter_mut().zip(sums.finish(count)) {
                    *out = params.mean(sum, count);
                }
            }
        }
    }
}

/// Sums of up to 64 channels.
struct Sums<I: Isa> {
    len: usize,
    /// Taps that are not added up yet, raised by 128; 0 beyond the first `waiting`.
    taps: [I::Vector; TAPS],
    waiting: usize,
    sums: [I::Vector; TAPS],
}

impl<I: Isa> Sums<I> {
    #[inline(always)]
    fn new(len: usize) -> Self {
        let none = I::splat32(0);
        Self {
            len,
            taps: [none; TAPS],
            waiting: 0,
            sums: [none; TAPS],
        }
    }

    /// Adds the values of a tap, as many as there are channels.
    #[inline(always)]
    fn add(&mut self, values: &[i8]) {
        assert!(values.len() == self.len);
        // SAFETY: there are as many values.
        let vector = unsafe {
            match values.first_chunk::<BYTES>() {
                Some(whole) => I::load(whole.as_ptr()),
                None => I::load_part(values.as_ptr(), self.len),
            }
        };
        self.taps[self.waiting] = I::xor(vector, I::splat8(i8::MIN));
        self.waiting += 1;
        if self.waiting == TAPS {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        let words = finish::interleave::<I>(self.taps);
        for (sum, words) in self.sums.iter_mut().zip(words) {
            *sum = I::dot(*sum, words, I::splat8(1));
        }
        self.taps = [I::splat32(0); TAPS];
        self.waiting = 0;
    }

    /// The sums of `count` taps, in the order of the channels.
    #[inline(always)]
    fn finish(mut self, count: i32) -> [i32; BYTES] {
        self.flush();
        let mut sums = [0; BYTES];
        for (quad, vector) in self.sums.into_iter().enumerate() {
            let vector = I::sub32(vector, I::splat32(count * 128));
            let lanes = finish::int32::<I>(vector);
            for (quarter, lanes) in lanes.as_chunks::<4>().0.iter().enumerate() {
                sums[quarter * LANES + quad * 4..][..4].copy_from_slice(lanes);
            }
        }
        sums
    }
}
