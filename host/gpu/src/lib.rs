//! The GPU executor: a plan on any adapter that wgpu reaches, with the bits of the reference.
//!
//! In the order in which they are meant to be read:
//!
//! 1. `device`: [`Gpu`], an open adapter; which one is chosen, what happens when it is lost.
//! 2. `program`: the text of a compute program, put together from `shaders/`.
//! 3. `ops`: from each operator of a plan to its program, parameters and packed constants. It
//!    needs no GPU.
//! 4. `batch`: the buffers of a batch and the commands that run it.
//! 5. `backend`: [`GpuBackend`], which is all that together for one plan.
//! 6. `rise`: which parts of an image an answer rests on, from thousands of masked copies.
//!
//! Guarantees: outputs are those of `microtome_kernels::reference`, whatever the adapter; every
//! wait has a limit; whatever a driver does is a [`GpuError`], not a panic. Deciding whether a
//! plan had better run on the CPU (on a software adapter: yes) is left to the caller.
#![deny(missing_docs)]

mod backend;
mod batch;
mod device;
mod error;
mod ops;
mod program;
mod rise;

pub use backend::GpuBackend;
pub use device::{Gpu, GpuOptions};
pub use error::GpuError;
pub use ops::has_program;
