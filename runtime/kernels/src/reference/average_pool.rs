//! Average pooling; over the whole input it is the global average.

use crate::num::{Multiplier, Output, Shape, Window};
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of an average pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AveragePool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape, with the input's channels.
    pub output: Shape,
    /// The window; its dilation is 1.
    pub window: Window,
    /// How a window's sum is divided.
    pub divide: Divide,
    /// How means become outputs; with [`Divide::Count`] its zero point is not used.
    pub store: Output,
}

/// How the sum of a window becomes its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Divide {
    /// By the number of taps inside of the input, half away from zero: TFLite's int8
    /// `AVERAGE_POOL_2D`, whose input and output have one scale and one zero point.
    Count,
    /// Mean and change of scale in one rounding: `Σ (x − zero) · factor`, with the input's scale
    /// over the output's scale and the number of taps. Padding counts as the zero point.
    Scale {
        /// Zero point of the input.
        zero: i8,
        /// The factor of the sum.
        factor: Multiplier,
    },
}

impl Operator for AveragePool {
    fn kind(&self) -> &'static str {
        "average_pool"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::pool(self.input, self.output, &self.window)?;
        if let Divide::Scale { factor, .. } = self.divide {
            rules::factor(factor)?;
        }
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.input.len())
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.output.len())
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        (set.average_pool)(self, args.input(0), args.output(0));
    }
}

/// Writes the average pool of `input` to `output`, both HWC.
pub fn average_pool(params: &AveragePool, input: &[i8], output: &mut [i8]) {
    let Shape {
        width, channels, ..
    } = params.output;
    for (index, out) in output.iter_mut().enumerate() {
        let (pixel, channel) = (index / channels, index % channels);
        let (sum, count) = sum(params, input, [pixel / width, pixel % width], channel);
        *out = params.mean(sum, count);
    }
}

impl AveragePool {
    /// The output for a window whose `count` taps inside of the input have the sum `sum`.
    pub const fn mean(&self, sum: i32, count: i32) -> i8 {
        match self.divide {
            Divide::Count => {
                let half = if sum > 0 { count / 2 } else { -(count / 2) };
                Output {
                    zero: 0,
                    ..self.store
                }
                .store((sum + half) / count)
            }
            Divide::Scale { zero, factor } => {
                self.store.store(factor.apply(sum - count * zero as i32))
            }
        }
    }
}

fn sum(params: &AveragePool, input: &[i8], at: [usize; 2], channel: usize) -> (i32, i32) {
    let Shape {
        height,
        width,
        channels,
    } = params.input;
    let (mut sum, mut count) = (0, 0);
    for row in 0..params.window.kernel[0] {
        for column in 0..params.window.kernel[1] {
            let y = params.window.tap(0, at[0], row, height);
            let x = params.window.tap(1, at[1], column, width);
            if let (Some(y), Some(x)) = (y, x) {
                sum += i32::from(input[(y * width + x) * channels + channel]);
                count += 1;
            }
        }
    }
    (sum, count)
}
