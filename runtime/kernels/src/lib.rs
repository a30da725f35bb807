//! Integer kernels: what the operators of a plan compute, bit for bit.
//!
//! Folders in the order in which they are meant to be read:
//!
//! 1. [`num`]: requantization and the shapes that every kernel speaks of; [`fixed`]: the
//!    fixed-point exponential and reciprocal of softmax; [`operator`]: what every operator says of
//!    itself, and [`rules`], what several check; [`view`]: strided operands; [`packing`]: how
//!    weights lie.
//! 2. [`mod@reference`]: one file an operator, with its parameters, its shape rule and the slow scalar
//!    code that defines its result. This is the executable form of `docs/numerics.md`.
//!    [`data`] has the operators that only move elements.
//! 3. [`set`]: a table with one kernel an operator, of which there is one for each of the next.
//! 4. [`generic`]: the portable kernels that run where no faster ones exist.
//! 5. [`arch`]: kernels for one instruction set each, which override the portable ones.
//! 6. [`dispatch`]: the one place that chooses a set.
//! 7. `float` (a feature): operators on 32-bit floats, which have tolerances instead of bits.
//! 8. `cases` (a feature): random cases that compare a set with the reference bit for bit.
//!
//! Kernels are pure: no allocation, no globals, no operating system. They know no plan and no
//! arena; slices of the right length are the caller's promise, checked with `debug_assert!`.
#![no_std]
#![deny(missing_docs)]

#[cfg(feature = "std")]
extern crate std;

pub mod arch;
#[cfg(feature = "cases")]
pub mod cases;
pub mod data;
pub mod dispatch;
pub mod fixed;
#[cfg(feature = "float")]
pub mod float;
pub mod generic;
pub mod num;
pub mod operator;
pub mod packing;
pub mod reference;
pub mod rules;
pub mod set;
pub mod view;

pub use operator::{Args, Constants, Element, Extent, Extents, Fault, Operator};
pub use packing::Packing;
pub use set::KernelSet;
