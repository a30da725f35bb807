//! x86-64 with AVX-512 and its dot products of bytes (VNNI): 16 output channels at a time.
//!
//! `VPDPBUSD` multiplies bytes without a sign by bytes with one. Inputs are raised by 128 to have
//! none, and 128 times the sum of a channel's weights, which the same instruction adds up, is taken
//! off again.

use crate::generic;
use crate::packing::Packing;
use crate::set::KernelSet;

pub mod conv2d;

/// The packing of weights that the convolution reads: a vector is 16 channels of four taps.
pub const PACKING: Packing = Packing::new(16, 4);

/// The kernel set of AVX-512 with VNNI: only for a processor that has `avx512f`, `avx512bw`,
/// `avx512vl` and `avx512vnni`, as [`crate::dispatch`] asks.
pub const VNNI: KernelSet = KernelSet {
    name: "x86-64 vnni",
    conv2d: conv2d::conv2d,
    ..generic::SET
};
