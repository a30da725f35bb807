//! Softmax over the channels, by gemmlowp's fixed-point exponential and reciprocal.

use crate::fixed::{divide_by_power, exp, mul, one_over_one_plus};
use crate::num::{Multiplier, Shape};
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a softmax. The output's scale is 1/256 and its zero point −128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax {
    /// Vectors that are normalised, one after another.
    pub rows: usize,
    /// Elements of each.
    pub depth: usize,
    /// Q31 factor of `x − max`: the input's scale (times beta) in Q5.26, as TFLite's
    /// `PreprocessSoftmaxScaling` gives it.
    pub mantissa: i32,
    /// Its left shift.
    pub shift: u8,
    /// The smallest `x − max` whose exponential is not taken as zero (negative).
    pub diff_min: i32,
}

/// Integer bits of the sum of exponentials, which is in Q12.19.
const SUM_INTEGER_BITS: u32 = 12;

impl Softmax {
    /// The exponential of `x − max` in Q0.31.
    pub const fn exp(&self, x: i8, max: i8) -> i32 {
        let diff = x as i32 - max as i32;
        if diff < self.diff_min {
            return 0;
        }
        let factor = Multiplier {
            mantissa: self.mantissa,
            shift: self.shift as i8,
        };
        exp(factor.apply(diff))
    }

    /// The largest element of a row, and the sum in Q12.19 of all exponentials.
    pub fn sum(&self, row: &[i8]) -> (i8, i32) {
        let max = row.iter().copied().max().unwrap_or(i8::MIN);
        let sum = row.iter().fold(0, |sum, &x| {
            sum + divide_by_power(self.exp(x, max), SUM_INTEGER_BITS)
        });
        (max, sum)
    }
}

impl Operator for Softmax {
    fn kind(&self) -> &'static str {
        "softmax"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.rows, self.depth])?;
        // 2^12 exponentials of at most 1 in Q12.19 are what the sum holds.
        require(self.depth < 1 << SUM_INTEGER_BITS, Fault::Size)?;
        let factor = self.mantissa >= 1 << 30 && self.shift <= 30 && self.diff_min <= 0;
        require(factor, Fault::Number)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.rows * self.depth)
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.rows * self.depth)
    }

    fn output_shape(&self) -> Shape {
        Shape {
            height: self.rows,
            width: 1,
            channels: self.depth,
        }
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        (set.softmax)(self, args.input(0), args.output(0));
    }
}

/// Writes the softmax of each row of `input` to `output`.
pub fn softmax(params: &Softmax, input: &[i8], output: &mut [i8]) {
    let rows = input.chunks_exact(params.depth);
    for (input, output) in rows.zip(output.chunks_exact_mut(params.depth)) {
        let (max, sum) = params.sum(input);
        let (scale, exponent) = reciprocal(sum);
        for (out, &x) in output.iter_mut().zip(input) {
            let scaled = divide_by_power(mul(scale, params.exp(x, max)), exponent);
            *out = (scaled - 128).clamp(-128, 127) as i8;
        }
    }
}

/// `1 / sum` of a Q12.19 sum as a Q0.31 factor and the power of two by which its product with an
/// exponential is divided to be in 1/256.
fn reciprocal(sum: i32) -> (i32, u32) {
    // The largest element's exponential alone is 1: there are at most 12 leading zeros.
    let zeros = sum.leading_zeros();
    let above_one = ((sum as u32) << zeros) ^ (1 << 31);
    let exponent = SUM_INTEGER_BITS + 31 - 8 - zeros;
    (one_over_one_plus(above_one as i32), exponent)
}
