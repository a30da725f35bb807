//! Maximum pooling. Input and output have one scale and one zero point.

use crate::num::{Shape, Window};
use crate::operator::{Args, Element, Extents, Fault, Operator, one};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a maximum pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape, with the input's channels.
    pub output: Shape,
    /// The window. Padding never wins; every window has a tap inside of the input.
    pub window: Window,
    /// Lower clamp, inclusive.
    pub min: i8,
    /// Upper clamp, inclusive.
    pub max: i8,
}

impl Operator for MaxPool {
    fn kind(&self) -> &'static str {
        "max_pool"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::pool(self.input, self.output, &self.window)?;
        rules::clamp(self.min, self.max)
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
        (set.max_pool)(self, args.input(0), args.output(0));
    }
}

/// Writes the maximum pool of `input` to `output`, both HWC.
pub fn max_pool(params: &MaxPool, input: &[i8], output: &mut [i8]) {
    let Shape {
        width, channels, ..
    } = params.output;
    for (index, out) in output.iter_mut().enumerate() {
        let (pixel, channel) = (index / channels, index % channels);
        *out = largest(params, input, [pixel / width, pixel % width], channel)
            .clamp(params.min, params.max);
    }
}

fn largest(params: &MaxPool, input: &[i8], at: [usize; 2], channel: usize) -> i8 {
    let Shape {
        height,
        width,
        channels,
    } = params.input;
    let mut largest = i8::MIN;
    for row in 0..params.window.kernel[0] {
        for column in 0..params.window.kernel[1] {
            let y = params.window.tap(0, at[0], row, height);
            let x = params.window.tap(1, at[1], column, width);
            if let (Some(y), Some(x)) = (y, x) {
                largest = largest.max(input[(y * width + x) * channels + channel]);
            }
        }
    }
    largest
}
