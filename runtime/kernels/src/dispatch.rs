//! The one place that chooses a kernel set.
//!
//! A set for an instruction set lives in `arch/<isa>/` and is `generic::SET` with the kernels
//! that it is faster at; it is chosen here, by the target's features or by what the processor
//! reports, and nowhere else. Each set invokes `contract!` in `tests/contract.rs`.

use crate::generic;
use crate::set::KernelSet;

/// The fastest kernel set of this machine.
pub fn best() -> &'static KernelSet {
    &generic::SET
}
