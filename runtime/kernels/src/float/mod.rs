//! Operators on 32-bit floats, and those that only float models need: a cargo feature, for hosts.
//!
//! One file an operator, with its parameters, its portable kernel and its tests against double
//! precision; results have tolerances, stated by those tests. Spatial activations lie channels
//! last; all else is row major, or strided through [`crate::view`]. In the order of reading:
//!
//! 1. What several share: where operands come from, functions that vectorise, broadcasting, and
//!    the tile of a matrix product.
//! 2. Element by element.
//! 3. Products: convolutions, matrices, recurrent cells.
//! 4. Along axes: pools, reductions, norms.
//! 5. Movement by index.
//! 6. Decision trees.

pub mod index;
pub mod math;
pub mod pair;
pub mod source;
#[cfg(test)]
mod testing;
pub mod tile;
pub mod window;

pub mod binary;
pub mod binary_int;
pub mod cast;
pub mod compare;
pub mod logic;
pub mod predicate;
pub mod quantize;
pub mod unary;

pub mod conv2d;
pub mod conv_transpose;
pub mod depthwise;
pub mod matmul;
pub mod recurrent;

pub mod arg;
pub mod channel_norm;
pub mod lrn;
pub mod norm;
pub mod pool;
pub mod reduce;
pub mod resample;
pub mod softmax;
pub mod top_k;

pub mod cum_sum;
pub mod gather;
pub mod one_hot;
pub mod scatter;
pub mod trilu;

pub mod tree_ensemble;
