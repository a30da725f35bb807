//! Average and maximum pools: neighbouring channels side by side.

use super::LANES;
use crate::num::{Shape, Window};
use crate::reference::average_pool::AveragePool;
use crate::reference::max_pool::MaxPool;

/// As [`crate::reference::average_pool::average_pool`].
pub fn average_pool(params: &AveragePool, input: &[i8], output: &mut [i8]) {
    let pool = Pool {
        shape: params.input,
        window: params.window,
        input,
        start: 0,
        step: |sum, x| sum + i32::from(x),
        finish: |sum, count| params.mean(sum, count),
    };
    pool.run(params.output.width, output);
}

/// As [`crate::reference::max_pool::max_pool`].
pub fn max_pool(params: &MaxPool, input: &[i8], output: &mut [i8]) {
    let pool = Pool {
        shape: params.input,
        window: params.window,
        input,
        start: i8::MIN,
        step: |largest: i8, x| largest.max(x),
        finish: |largest: i8, _| largest.clamp(params.min, params.max),
    };
    pool.run(params.output.width, output);
}

/// A pool: what folds the elements of a window, and what makes an output of that and of how many
/// they were.
struct Pool<'a, A, S, F> {
    shape: Shape,
    window: Window,
    input: &'a [i8],
    start: A,
    step: S,
    finish: F,
}

impl<A: Copy, S: Fn(A, i8) -> A, F: Fn(A, i32) -> i8> Pool<'_, A, S, F> {
    fn run(&self, width: usize, output: &mut [i8]) {
        for (index, outputs) in output.chunks_exact_mut(self.shape.channels).enumerate() {
            let at = [index / width, index % width];
            let first = self.blocks::<LANES>(0, at, outputs);
            let first = self.blocks::<4>(first, at, outputs);
            self.blocks::<1>(first, at, outputs);
        }
    }

    /// Computes the channels from `first` in whole blocks of `N`; returns the channel after them.
    fn blocks<const N: usize>(
        &self,
        mut first: usize,
        at: [usize; 2],
        outputs: &mut [i8],
    ) -> usize {
        while let Some(outputs) = outputs.get_mut(first..first + N) {
            let (folded, count) = self.fold::<N>(first, at);
            for (out, folded) in outputs.iter_mut().zip(folded) {
                *out = (self.finish)(folded, count);
            }
            first += N;
        }
        first
    }

    fn fold<const N: usize>(&self, first: usize, at: [usize; 2]) -> ([A; N], i32) {
        let rows = self.window.inside(0, at[0], self.shape.height);
        let columns = self.window.inside(1, at[1], self.shape.width);
        let mut folded = [self.start; N];
        for y in rows.origin..rows.origin + rows.len() {
            for x in columns.origin..columns.origin + columns.len() {
                let from = (y * self.shape.width + x) * self.shape.channels + first;
                for (folded, &value) in folded.iter_mut().zip(&self.input[from..from + N]) {
                    *folded = (self.step)(*folded, value);
                }
            }
        }
        (folded, (rows.len() * columns.len()) as i32)
    }
}
