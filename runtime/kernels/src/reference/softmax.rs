//! Softmax over the channels, by gemmlowp's fixed-point exponential and reciprocal.

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
