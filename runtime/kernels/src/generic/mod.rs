//! Portable kernels in safe Rust: what runs wherever no faster set exists.

use crate::reference;
use crate::set::KernelSet;

/// The portable kernel set.
pub const SET: KernelSet = KernelSet {
    name: "generic",
    ..reference::SET
};
