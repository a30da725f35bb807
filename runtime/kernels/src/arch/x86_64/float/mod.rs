//! Floats in AVX-512, and in AVX2 with FMA: one algorithm over [`vector`].

use crate::arch::simd::{Kernel, Simd};
use crate::set::FloatKernels;

pub mod depthwise;
pub mod product;
mod vector;

/// Only for a processor that has `avx512f`, `avx512bw` and `avx512vl`.
pub const AVX512: FloatKernels = FloatKernels {
    depthwise: depthwise::avx512,
    product: product::avx512,
    simd: Simd::Avx512,
};

/// Only for a processor that has `avx2` and `fma`.
pub const AVX2: FloatKernels = FloatKernels {
    depthwise: depthwise::avx2,
    product: product::avx2,
    simd: Simd::Avx2,
};

/// Runs `kernel`, compiled for AVX2.
#[target_feature(enable = "avx2,fma")]
pub(in crate::arch) fn with_avx2(kernel: impl Kernel) {
    kernel.run();
}

/// Runs `kernel`, compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(in crate::arch) fn with_avx512(kernel: impl Kernel) {
    kernel.run();
}
