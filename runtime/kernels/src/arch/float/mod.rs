//! Kernels of floats: one algorithm over [`vector`], which each instruction set compiles for its
//! own.

pub mod depthwise;
pub mod product;
pub mod vector;
