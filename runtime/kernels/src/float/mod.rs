//! Operators on 32-bit floats, and those that only float models need: a cargo feature, for hosts.
//!
//! One file an operator, with its parameters, its portable kernel and its tests against double
//! precision; results have tolerances, stated by those tests. Spatial activations lie channels
//! last; all else is row major, or strided through [`crate::view`]. In the order of reading:
//!
//! 1. What several share: [`source`], where operands come from; [`pair`], broadcasting; [`math`],
//!    functions that vectorise; [`tile`], the innermost loops of products; [`window`] and
//!    [`index`], what is checked of windows and of indices.
//! 2. Element by element: [`unary`], [`predicate`], [`binary`], [`binary_int`], [`compare`],
//!    [`logic`], [`cast`], [`quantize`].
//! 3. Products: [`conv2d`], [`depthwise`], [`conv_transpose`], [`matmul`], [`recurrent`].
//! 4. Along axes: [`pool`], [`softmax`], [`reduce`], [`arg`], [`top_k`], [`norm`],
//!    [`channel_norm`], [`lrn`], [`resample`], [`cum_sum`].
//! 5. By index: [`gather`], [`scatter`], [`one_hot`], [`trilu`].
//! 6. [`tree_ensemble`]: decision trees.
//!
//! Convolutions and matrix products come down to the kernel set's product of rows and panels
//! ([`tile`]), which instruction sets replace, as they do the depthwise convolution. Of the others,
//! those that take time are compiled for wider vectors too ([`crate::arch::simd`]).

pub mod index;
pub mod math;
pub mod pair;
pub mod source;
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
pub mod cum_sum;
pub mod lrn;
pub mod norm;
pub mod pool;
pub mod reduce;
pub mod resample;
pub mod softmax;
pub mod top_k;

pub mod gather;
pub mod one_hot;
pub mod scatter;
pub mod trilu;

pub mod tree_ensemble;

#[cfg(test)]
mod testing;
