//! The one place that chooses a kernel set.
//!
//! A set for an instruction set lives in `arch/<isa>/` and is `generic::SET` with the kernels
//! that it is faster at; it is chosen here, by the target's features or by what the processor
//! reports, and nowhere else. Each set keeps the contract of `cases`: by `contract!` in
//! `tests/contract.rs` where the host can run it, by an emulated board's `contract` image if not.

use crate::set::KernelSet;

#[cfg(kernels_isa = "armv7em")]
use crate::arch::armv7em as fastest;
#[cfg(kernels_isa = "armv81m")]
use crate::arch::armv81m as fastest;
#[cfg(not(any(kernels_isa = "armv7em", kernels_isa = "armv81m")))]
use crate::generic as fastest;

/// The fastest kernel set of this machine.
pub fn best() -> &'static KernelSet {
    &fastest::SET
}
