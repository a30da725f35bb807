//! Operators on floats: the same as on the CPU, within the tolerances of `docs/numerics.md`.

pub(super) mod cast;
pub(super) mod channel_norm;
pub(super) mod compare;
pub(super) mod conv;
pub(super) mod conv2d;
pub(super) mod conv_transpose;
pub(super) mod depthwise;
pub(super) mod elementwise;
pub(super) mod matmul;
pub(super) mod norm;
pub(super) mod pool;
pub(super) mod quantize;
pub(super) mod recurrent;
pub(super) mod reduce;
pub(super) mod resample;
pub(super) mod softmax;

use microtome_kernels::float::pair::Pair;
use microtome_kernels::float::source::Source;

/// Where the operands of a pair come from.
pub(super) const fn sources(pair: &Pair) -> [Source; 2] {
    [pair.a_source, pair.b_source]
}
