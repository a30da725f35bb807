//! Constant padding of rows and columns.

use crate::num::Shape;
use crate::operator::{Args, Element, Extents, Fault, Operator, one, require};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a pad. Input and output have one scale and one zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pad {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape; what it has more than `before` and the input lies after the input.
    pub output: Shape,
    /// Rows above, columns to the left and channels before the input.
    pub before: [usize; 3],
    /// The value of the padding.
    pub value: i8,
}

impl Operator for Pad {
    fn kind(&self) -> &'static str {
        "pad"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::shape(self.input)?;
        rules::shape(self.output)?;
        let axes = |shape: Shape| [shape.height, shape.width, shape.channels];
        let (inner, outer) = (axes(self.input), axes(self.output));
        let fits = |axis: usize| {
            let before = self.before[axis];
            before <= outer[axis] && inner[axis] <= outer[axis] - before
        };
        require((0..3).all(fits), Fault::Shape)
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
        (set.pad)(self, args.input(0), args.output(0));
    }
}

/// Writes the padded `input` to `output`, both HWC.
pub fn pad(params: &Pad, input: &[i8], output: &mut [i8]) {
    let Shape {
        width, channels, ..
    } = params.output;
    for (index, out) in output.iter_mut().enumerate() {
        let at = [
            index / channels / width,
            index / channels % width,
            index % channels,
        ];
        *out = source(params, at).map_or(params.value, |from| input[from]);
    }
}

fn source(params: &Pad, at: [usize; 3]) -> Option<usize> {
    let Shape {
        height,
        width,
        channels,
    } = params.input;
    let y = at[0]
        .checked_sub(params.before[0])
        .filter(|&y| y < height)?;
    let x = at[1].checked_sub(params.before[1]).filter(|&x| x < width)?;
    let channel = at[2]
        .checked_sub(params.before[2])
        .filter(|&channel| channel < channels)?;
    Some((y * width + x) * channels + channel)
}
