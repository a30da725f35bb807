//! Depthwise convolution: neighbouring channels side by side, each tap one multiplication a
//! channel.

use super::LANES;
use crate::num::Inside;
use crate::reference::conv2d::ConvConstants;
use crate::reference::depthwise::Depthwise;

/// As [`crate::reference::depthwise::depthwise`].
pub fn depthwise(
    params: &Depthwise,
    constants: &ConvConstants<'_>,
    input: &[i8],
    _scratch: &mut [u8],
    output: &mut [i8],
) {
    let (width, channels) = (params.output.width, params.output.channels);
    for (y, outputs) in output.chunks_exact_mut(width * channels).enumerate() {
        let rows = params.window.inside(0, y, params.input.height);
        for (x, outputs) in outputs.chunks_exact_mut(channels).enumerate() {
            let patch = Patch {
                params,
                weights: constants.weights,
                input,
                rows,
                columns: params.window.inside(1, x, params.input.width),
            };
            patch.convolve(constants, outputs);
        }
    }
}

/// What one output pixel reads.
struct Patch<'a> {
    params: &'a Depthwise,
    weights: &'a [i8],
    input: &'a [i8],
    rows: Inside,
    columns: Inside,
}

impl Patch<'_> {
    fn convolve(&self, constants: &ConvConstants<'_>, outputs: &mut [i8]) {
        let mut first = 0;
        if self.params.multiplier() == 1 {
            first = self.blocks::<LANES>(first, constants, outputs);
            first = self.blocks::<4>(first, constants, outputs);
        }
        self.blocks::<1>(first, constants, outputs);
    }

    /// Computes the channels from `first` in whole blocks of `N`; returns the channel after them.
    fn blocks<const N: usize>(
        &self,
        mut first: usize,
        constants: &ConvConstants<'_>,
        outputs: &mut [i8],
    ) -> usize {
        while let Some(outputs) = outputs.get_mut(first..first + N) {
            let sums = self.sums::<N>(first);
            for ((channel, out), sum) in (first..).zip(outputs).zip(sums) {
                *out = constants.output(channel, sum, self.params.store);
            }
            first += N;
        }
        first
    }

    /// The sums of `N` channels; more than one only where each reads the input channel of its
    /// own number.
    fn sums<const N: usize>(&self, first: usize) -> [i32; N] {
        let Depthwise { input, window, .. } = self.params;
        let channel = first / self.params.multiplier();
        let mut sums = self.padding(first);
        for row in 0..self.rows.len() {
            let y = self.rows.origin + row * window.dilation[0];
            let line = (self.rows.start + row) * window.kernel[1] + self.columns.start;
            for column in 0..self.columns.len() {
                let x = self.columns.origin + column * window.dilation[1];
                let values = &self.input[(y * input.width + x) * input.channels + channel..][..N];
                let weights = self.weights::<N>(line + column, first);
                for ((sum, &value), &weight) in sums.iter_mut().zip(values).zip(weights) {
                    *sum += i32::from(value) * i32::from(weight);
                }
            }
        }
        sums
    }

    /// What the taps outside of the input, all of which read its zero point, add to the sums.
    fn padding<const N: usize>(&self, first: usize) -> [i32; N] {
        let mut sums = [0; N];
        let [rows, columns] = self.params.window.kernel;
        if self.rows.len() == rows && self.columns.len() == columns {
            return sums;
        }
        for tap in 0..rows * columns {
            let (row, column) = (tap / columns, tap % columns);
            let inside = (self.rows.start..self.rows.end).contains(&row)
                && (self.columns.start..self.columns.end).contains(&column);
            if !inside {
                for (sum, &weight) in sums.iter_mut().zip(self.weights::<N>(tap, first)) {
                    *sum += i32::from(weight);
                }
            }
        }
        sums.map(|sum| sum * i32::from(self.params.input_zero))
    }

    fn weights<const N: usize>(&self, tap: usize, first: usize) -> &[i8] {
        &self.weights[tap * self.params.output.channels + first..][..N]
    }
}
