//! The definition of every operator: parameters, shape rule, and a slow scalar kernel.
//!
//! Nothing here is tuned; each function is written to be read beside `docs/numerics.md`. All
//! other kernels are tested against these, and a release build of an executor never calls them.

pub mod add;
pub mod average_pool;
pub mod clamp;
pub mod conv2d;
pub mod depthwise;
pub mod max_pool;
pub mod pad;
pub mod rescale;
pub mod softmax;
