//! Pools of floats: maximum (with the places of the maxima), average, Lᵖ.

use super::window;
use crate::arch::simd::Kernel;
use crate::num::{Inside, Shape, Window};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, extents, require};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Channels that one pass keeps in registers.
const LANES: usize = 16;

/// What becomes of the elements of a window that lie inside of the input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PoolKind {
    /// The largest; −∞ of none.
    Max {
        /// The second output: where the largest, the first of equals, lies.
        indices: Indices,
    },
    /// The mean.
    Average {
        /// Taps in the padding count as zeros: that on the top and left, and as many rows below
        /// and columns to the right as stated. Without, only taps inside of the input count.
        padding: Option<[usize; 2]>,
    },
    /// The p-th root of the sum of the p-th powers of the magnitudes.
    Lp {
        /// The power.
        p: f32,
    },
}

/// How the place of a maximum is told, as an int32 into the model's own CHW activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Indices {
    /// Not at all: there is no second output.
    None,
    /// Rows, then columns: `(channel · height + y) · width + x`.
    RowMajor,
    /// Columns, then rows: `(channel · width + x) · height + y`.
    ColumnMajor,
}

/// Parameters of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolF32 {
    /// What is computed.
    pub kind: PoolKind,
    /// The input's shape.
    pub input: Shape,
    /// The output's shape, with as many channels.
    pub output: Shape,
    /// The window.
    pub window: Window,
}

impl PoolF32 {
    fn has_indices(&self) -> bool {
        !matches!(
            self.kind,
            PoolKind::Average { .. }
                | PoolKind::Lp { .. }
                | PoolKind::Max {
                    indices: Indices::None
                }
        )
    }

    /// Taps of output `out` that lie in the input or in the padding, where `after` elements of
    /// that are behind the input.
    fn padded_taps(&self, axis: usize, out: usize, after: usize) -> usize {
        let extent = [self.input.height, self.input.width][axis];
        let Window {
            kernel,
            stride,
            dilation,
            pad,
        } = self.window;
        let reach = (pad[axis] + extent + after).saturating_sub(out * stride[axis]);
        reach.div_ceil(dilation[axis]).min(kernel[axis])
    }
}

impl Operator for PoolF32 {
    fn kind(&self) -> &'static str {
        match self.kind {
            PoolKind::Max { .. } => "max_pool_f32",
            PoolKind::Average { .. } => "average_pool_f32",
            PoolKind::Lp { .. } => "lp_pool_f32",
        }
    }

    fn check(&self) -> Result<(), Fault> {
        window::check(self.input, self.output, &self.window)?;
        require(self.input.channels == self.output.channels, Fault::Shape)?;
        match self.kind {
            PoolKind::Average {
                padding: Some(after),
            } => require(
                after.iter().all(|&after| after <= rules::WINDOW_MAX),
                Fault::Size,
            ),
            PoolKind::Lp { p } => require(p > 0.0, Fault::Number),
            _ => Ok(()),
        }
    }

    fn inputs(&self) -> Extents {
        extents(&[Extent::new(Element::F32, self.input.len())])
    }

    fn outputs(&self) -> Extents {
        let values = Extent::new(Element::F32, self.output.len());
        let indices = Extent::new(Element::I32, self.output.len());
        extents(&[values, indices][..1 + usize::from(self.has_indices())])
    }

    fn macs(&self) -> usize {
        let [rows, columns] = self.window.kernel;
        self.output.len().saturating_mul(rows * columns)
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let (input, out) = (args.input(0), args.output(0));
        set.float.simd.run(Fold(self, input, out));
        if self.has_indices() {
            places(self, input, args.output(1));
        }
    }
}

struct Fold<'a>(&'a PoolF32, &'a [f32], &'a mut [f32]);

impl Kernel for Fold<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(params, input, out) = self;
        match params.kind {
            PoolKind::Max { .. } => {
                pool(params, input, out, f32::NEG_INFINITY, larger, |x, _| x);
            }
            PoolKind::Average { padding } => {
                pool(
                    params,
                    input,
                    out,
                    0.0,
                    |sum, x| sum + x,
                    |sum, place| sum / place.count(params, padding) as f32,
                );
            }
            PoolKind::Lp { p: 2.0 } => {
                pool(
                    params,
                    input,
                    out,
                    0.0,
                    |sum, x| sum + x * x,
                    |sum, _| libm::sqrtf(sum),
                );
            }
            PoolKind::Lp { p } => {
                let power = |sum, x: f32| sum + libm::powf(x.abs(), p);
                pool(params, input, out, 0.0, power, |sum, _| {
                    libm::powf(sum, 1.0 / p)
                });
            }
        }
    }
}

/// The larger; NaN if either is.
fn larger(largest: f32, x: f32) -> f32 {
    if x > largest || x.is_nan() {
        x
    } else {
        largest
    }
}

/// One output pixel, and the taps inside of the input.
#[derive(Clone, Copy)]
struct Place {
    at: [usize; 2],
    rows: Inside,
    columns: Inside,
}

impl Place {
    fn of(params: &PoolF32, pixel: usize) -> Self {
        let at = [pixel / params.output.width, pixel % params.output.width];
        Self {
            at,
            rows: params.window.inside(0, at[0], params.input.height),
            columns: params.window.inside(1, at[1], params.input.width),
        }
    }

    /// What a sum is divided by to be a mean; not 0.
    fn count(&self, params: &PoolF32, padding: Option<[usize; 2]>) -> usize {
        let count = match padding {
            None => self.rows.len() * self.columns.len(),
            Some([below, right]) => {
                params.padded_taps(0, self.at[0], below) * params.padded_taps(1, self.at[1], right)
            }
        };
        count.max(1)
    }

    /// Calls `each` with row, column and first element of every input pixel.
    #[inline(always)]
    fn for_each(&self, params: &PoolF32, mut each: impl FnMut([usize; 2], usize)) {
        let PoolF32 { input, window, .. } = params;
        for row in 0..self.rows.len() {
            let y = self.rows.origin + row * window.dilation[0];
            for column in 0..self.columns.len() {
                let x = self.columns.origin + column * window.dilation[1];
                each([y, x], (y * input.width + x) * input.channels);
            }
        }
    }
}

/// Folds each window with `step`, beginning with `start`, and ends with `finish`.
#[inline(always)]
fn pool(
    params: &PoolF32,
    input: &[f32],
    output: &mut [f32],
    start: f32,
    step: impl Fn(f32, f32) -> f32,
    finish: impl Fn(f32, Place) -> f32,
) {
    let channels = params.output.channels;
    for (pixel, outputs) in output.chunks_exact_mut(channels).enumerate() {
        let place = Place::of(params, pixel);
        let (blocks, rest) = outputs.as_chunks_mut::<LANES>();
        let rest_first = blocks.len() * LANES;
        for (first, out) in (0..).step_by(LANES).zip(blocks) {
            let mut folded = [start; LANES];
            place.for_each(params, |_, at| {
                let values = &input[at + first..][..LANES];
                for (folded, &x) in folded.iter_mut().zip(values) {
                    *folded = step(*folded, x);
                }
            });
            *out = folded.map(|folded| finish(folded, place));
        }
        for (channel, out) in (rest_first..).zip(rest) {
            let mut folded = start;
            place.for_each(params, |_, at| folded = step(folded, input[at + channel]));
            *out = finish(folded, place);
        }
    }
}

/// Where the maxima lie.
fn places(params: &PoolF32, input: &[f32], output: &mut [i32]) {
    let Shape {
        height,
        width,
        channels,
    } = params.input;
    let by_columns = matches!(
        params.kind,
        PoolKind::Max {
            indices: Indices::ColumnMajor
        }
    );
    for (pixel, outputs) in output.chunks_exact_mut(channels).enumerate() {
        let place = Place::of(params, pixel);
        for (channel, out) in outputs.iter_mut().enumerate() {
            let (mut largest, mut at_largest) = (f32::NEG_INFINITY, None);
            place.for_each(params, |[y, x], at| {
                let value = input[at + channel];
                if at_largest.is_none() || value > largest {
                    (largest, at_largest) = (value, Some([y, x]));
                }
            });
            let [y, x] = at_largest.unwrap_or([0, 0]);
            let within = if by_columns {
                x * height + y
            } else {
                y * width + x
            };
            *out = (channel * height * width + within) as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, ints, noise, run};
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn params(kind: PoolKind) -> PoolF32 {
        PoolF32 {
            kind,
            input: Shape {
                height: 5,
                width: 6,
                channels: 19,
            },
            // As with ceil_mode: the last row's window ends below the padding.
            output: Shape {
                height: 3,
                width: 3,
                channels: 19,
            },
            window: Window {
                kernel: [3, 2],
                stride: [2, 2],
                dilation: [1, 2],
                pad: [0, 1],
            },
        }
    }

    /// The result of `fold` on the taps inside of each window, with how many these are.
    fn expected(params: &PoolF32, input: &[f32], fold: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let Shape {
            width, channels, ..
        } = params.output;
        let element = |index: usize| {
            let (pixel, channel) = (index / channels, index % channels);
            let mut values = Vec::new();
            for tap in 0..6 {
                let y = params
                    .window
                    .tap(0, pixel / width, tap / 2, params.input.height);
                let x = params
                    .window
                    .tap(1, pixel % width, tap % 2, params.input.width);
                if let (Some(y), Some(x)) = (y, x) {
                    values.push(f64::from(input[(y * 6 + x) * channels + channel]));
                }
            }
            fold(&values)
        };
        (0..params.output.len()).map(element).collect()
    }

    #[test]
    fn every_pool_is_within_1e_6() {
        let input = noise(1, 5 * 6 * 19);
        let check = |kind, fold: &dyn Fn(&[f64]) -> f64| {
            let params = params(kind);
            let got = run(&params, &[floats(&input)], &[]);
            close(&got[0], expected(&params, &input, fold), 1e-6);
        };
        let none = Indices::None;
        check(PoolKind::Max { indices: none }, &|values| {
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        });
        check(PoolKind::Average { padding: None }, &|values| {
            values.iter().sum::<f64>() / values.len() as f64
        });
        for p in [1, 2, 3] {
            check(PoolKind::Lp { p: p as f32 }, &|values| {
                let sum = values
                    .iter()
                    .map(|x| libm::pow(x.abs(), f64::from(p)))
                    .sum();
                libm::pow(sum, 1.0 / f64::from(p))
            });
        }
    }

    #[test]
    fn padding_counts_up_to_its_end() {
        let mut params = params(PoolKind::Average {
            padding: Some([1, 0]),
        });
        params.input.channels = 1;
        params.output.channels = 1;
        let got = run(&params, &[floats(&[1.0; 30])], &[]);
        // Rows: three windows of three, all inside of 5 + 1 rows but the last one's last tap.
        // Columns: taps at −1 and 1, 1 and 3, 3 and 5.
        let row = [0.5, 1.0, 1.0];
        let last = row.map(|mean| mean * 0.5);
        close(&got[0], [row, row, last].concat(), 1e-6);
    }

    #[test]
    fn places_are_those_of_the_first_maxima() {
        let mut params = params(PoolKind::Max {
            indices: Indices::RowMajor,
        });
        params.input = Shape {
            height: 2,
            width: 2,
            channels: 2,
        };
        params.output = Shape {
            height: 1,
            width: 1,
            channels: 2,
        };
        params.window = Window {
            kernel: [2, 2],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
        };
        let input = [1.0, 9.0, 5.0, 2.0, 5.0, 3.0, 0.0, 9.0];
        let got = run(&params, &[floats(&input)], &[]);
        assert_eq!(got[1], ints(&[1, 4]));
        params.kind = PoolKind::Max {
            indices: Indices::ColumnMajor,
        };
        assert_eq!(run(&params, &[floats(&input)], &[])[1], ints(&[2, 4]));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[
            params(PoolKind::Max {
                indices: Indices::RowMajor,
            }),
            params(PoolKind::Average {
                padding: Some([1, 2]),
            }),
            params(PoolKind::Lp { p: 3.0 }),
        ]);
    }
}
