//! Armv7E-M: Cortex-M4 and M7, whose DSP extension multiplies two pairs of int16 at a time.
//!
//! Int8 becomes int16 by `SXTB16`, which takes bytes 0 and 2 of a word, or 1 and 3: both sides of
//! a dot product are split the same way, so that nothing is ever put in order. Needed of the core:
//! word loads at any address. Scratch is on the stack up to [`super::scratch::STACK_BYTES`], and
//! beyond that in the arena.
//!
//! In reading order: [`conv2d`] collects what output pixels read, `dot` widens it, `block` has the
//! inner loops; [`depthwise`] cuts channels into planes, `plane` has the inner loop; `finish` says
//! how both requantize.

use crate::generic;
use crate::set::KernelSet;

pub mod add;
pub mod average_pool;
mod block;
pub mod conv2d;
pub mod depthwise;
mod dot;
mod dsp;
mod finish;
pub mod mat_vec;
mod plane;

/// The kernel set of Armv7E-M.
pub const SET: KernelSet = KernelSet {
    name: "armv7em",
    conv2d: conv2d::conv2d,
    depthwise: depthwise::depthwise,
    mat_vec: mat_vec::mat_vec,
    add: add::add,
    add_in_place: add::add_in_place,
    average_pool: average_pool::average_pool,
    ..generic::SET
};
