//! Bilinear resize of rows and columns. Input and output have one scale and one zero point.

use crate::num::Shape;
use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, Operator, extents, one, require,
};
use crate::rules;
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a resize.
///
/// Its constants say what each output row is made of, and then each output column: two int32
/// indices of the input, and the int16 weight of the second one in units of 2^−11 ([`ONE`]); the
/// weight of the first one is what remains. All ways to align corners are in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeLinear {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape, with the input's channels.
    pub output: Shape,
}

/// The weight 1.
pub const ONE: i16 = 1 << BITS;
const BITS: u32 = 11;

impl Operator for ResizeLinear {
    fn kind(&self) -> &'static str {
        "resize_linear"
    }

    fn check(&self) -> Result<(), Fault> {
        rules::shape(self.input)?;
        rules::shape(self.output)?;
        require(self.input.channels == self.output.channels, Fault::Shape)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.input.len())
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.output.len())
    }

    fn constants(&self) -> Extents {
        let Shape { height, width, .. } = self.output;
        extents(&[
            Extent::new(Element::I32, 2 * height),
            Extent::new(Element::I16, height),
            Extent::new(Element::I32, 2 * width),
            Extent::new(Element::I16, width),
        ])
    }

    fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
        for (axis, extent) in [self.input.height, self.input.width]
            .into_iter()
            .enumerate()
        {
            let (indices, weights) = (constants.get::<i32>(2 * axis), constants.get(2 * axis + 1));
            let inside = |&index: &i32| index >= 0 && (index as usize) < extent;
            require(indices.iter().all(inside), Fault::Number)?;
            let valid = |weight: &i16| (0..=ONE).contains(weight);
            require(weights.iter().all(valid), Fault::Number)?;
        }
        Ok(())
    }

    fn output_shape(&self) -> Shape {
        self.output
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let (input, constants) = (args.input(0), args.constants.clone());
        resize_linear(self, &constants, input, args.output(0));
    }
}

/// Writes the resized `input` to `output`, both HWC.
pub fn resize_linear(
    params: &ResizeLinear,
    constants: &Constants<'_>,
    input: &[i8],
    output: &mut [i8],
) {
    let rows = constants
        .get::<i32>(0)
        .chunks_exact(2)
        .zip(constants.get(1));
    let columns = constants
        .get::<i32>(2)
        .chunks_exact(2)
        .zip(constants.get(3));
    let Shape {
        width, channels, ..
    } = params.input;
    let mut pixels = output.chunks_exact_mut(channels);
    for (y, &below) in rows {
        for (x, &right) in columns.clone() {
            let pixel = |row: usize, column: usize| {
                let at = y[row] as usize * width + x[column] as usize;
                &input[at * channels..][..channels]
            };
            let [a, b, c, d] = [pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)];
            for (channel, out) in pixels.next().into_iter().flatten().enumerate() {
                let upper = between(right, a[channel].into(), b[channel].into());
                let lower = between(right, c[channel].into(), d[channel].into());
                let sum = between(below, upper, lower);
                *out = ((sum + (1 << (2 * BITS - 1))) >> (2 * BITS)) as i8;
            }
        }
    }
}

/// The sum of both values with their weights, [`BITS`] bits longer than they are.
fn between(weight: i16, a: i32, b: i32) -> i32 {
    a * i32::from(ONE - weight) + b * i32::from(weight)
}
