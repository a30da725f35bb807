//! Portable kernels in safe Rust: what runs wherever no faster set exists.
//!
//! Each is written so that LLVM keeps sums in registers on a Cortex-M and vectorises on a host:
//! inner loops over contiguous channels, and no bounds or padding checks within them. Operators
//! that are missing here have no faster portable form than their definition.

use crate::reference;
use crate::set::KernelSet;

pub mod conv2d;
pub mod depthwise;
pub mod mat_mul;
pub mod mat_vec;
pub mod pad;
pub mod pool;

/// Channels whose sums one pass keeps in registers where channels do not share an input.
const LANES: usize = if cfg!(target_arch = "arm") { 4 } else { 16 };

/// The portable kernel set.
pub const SET: KernelSet = KernelSet {
    name: "generic",
    conv2d: conv2d::conv2d,
    depthwise: depthwise::depthwise,
    average_pool: pool::average_pool,
    max_pool: pool::max_pool,
    pad: pad::pad,
    mat_mul: mat_mul::mat_mul,
    mat_vec: mat_vec::mat_vec,
    ..reference::SET
};
