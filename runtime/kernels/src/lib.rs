//! Integer kernels: what the operators of a plan compute, bit for bit.
//!
//! Folders in the order in which they are meant to be read:
//!
//! 1. [`num`]: requantization and the shapes that every kernel speaks of.
//! 2. [`mod@reference`]: one file an operator, with its parameters, its shape rule and the slow scalar
//!    code that defines its result. This is the executable form of `docs/numerics.md`.
//! 3. [`generic`]: the portable kernels that run where no faster ones exist.
//! 4. [`dispatch`]: the one place that chooses a kernel.
//!
//! Kernels are pure: no allocation, no globals, no operating system. They know no plan and no
//! arena; slices of the right length are the caller's promise, checked with `debug_assert!`.
#![no_std]
#![deny(missing_docs)]

pub mod dispatch;
pub mod generic;
pub mod num;
pub mod reference;
