//! x86-64: with AVX-512 and its dot products of bytes (VNNI), 16 output channels at a time; floats
//! with AVX2 too.
//!
//! `VPDPBUSD` multiplies bytes without a sign by bytes with one. Inputs are raised by 128 to have
//! none, and 128 times the sum of a channel's weights, which the same instruction adds up, is taken
//! off again.

use crate::generic;
use crate::packing::Packing;
use crate::set::KernelSet;

#[cfg(feature = "float")]
use super::simd::{Kernel, Simd};

pub mod conv2d;
#[cfg(feature = "float")]
pub mod depthwise_f32;
#[cfg(feature = "float")]
pub mod product;
#[cfg(feature = "float")]
mod vector;

/// The packing of weights that the convolution reads: a vector is 16 channels of four taps.
pub const PACKING: Packing = Packing::new(16, 4);

/// The kernel set of AVX-512 with VNNI: only for a processor that has `avx512f`, `avx512bw`,
/// `avx512vl` and `avx512vnni`, as [`crate::dispatch`] asks.
pub const VNNI: KernelSet = KernelSet {
    name: "x86-64 vnni",
    packing: PACKING,
    conv2d: conv2d::conv2d,
    #[cfg(feature = "float")]
    depthwise_f32: depthwise_f32::avx512,
    #[cfg(feature = "float")]
    product_f32: product::avx512,
    #[cfg(feature = "float")]
    simd: Simd::Avx512,
    ..generic::SET
};

/// The kernel set of AVX2, for floats: only for a processor that has `avx2` and `fma`, as
/// [`crate::dispatch`] asks.
#[cfg(feature = "float")]
pub const AVX2: KernelSet = KernelSet {
    name: "x86-64 avx2",
    depthwise_f32: depthwise_f32::avx2,
    product_f32: product::avx2,
    simd: Simd::Avx2,
    ..generic::SET
};

/// Runs `kernel`, compiled for AVX2.
#[cfg(feature = "float")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn with_avx2(kernel: impl Kernel) {
    kernel.run();
}

/// Runs `kernel`, compiled for AVX-512.
#[cfg(feature = "float")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn with_avx512(kernel: impl Kernel) {
    kernel.run();
}
