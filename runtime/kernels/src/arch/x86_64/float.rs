//! Floats in AVX-512, and in AVX2 with FMA.

use crate::arch::float::depthwise::{depthwise, has_vectors};
use crate::arch::float::product::product;
use crate::arch::float::vector::Vector;
use crate::arch::simd::{Kernel, Simd};
use crate::float::conv2d::ConvReads;
use crate::float::depthwise::{self as portable, DepthwiseF32};
use crate::float::tile::{Panels, Rows, Store};
use crate::set::FloatKernels;
use core::arch::x86_64::{
    __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
    _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_set1_ps, _mm512_storeu_ps,
};

/// Only for a processor that has `avx512f`, `avx512bw` and `avx512vl`.
pub const AVX512: FloatKernels = FloatKernels {
    depthwise: depthwise_avx512,
    product: product_avx512,
    simd: Simd::Avx512,
};

/// Only for a processor that has `avx2` and `fma`.
pub const AVX2: FloatKernels = FloatKernels {
    depthwise: depthwise_avx2,
    product: product_avx2,
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

macro_rules! kernels {
    ($features:literal, $vector:ty, $rows:literal, $product:ident, $depthwise:ident) => {
        fn $product(rows: &Rows<'_>, panels: &Panels<'_>, store: Store<'_>) {
            #[target_feature(enable = $features)]
            fn compiled(rows: &Rows<'_>, panels: &Panels<'_>, store: Store<'_>) {
                // SAFETY: this is compiled for the instructions.
                unsafe { product::<$vector, $rows>(rows, panels, store) };
            }
            // SAFETY: whoever chose this set made sure that the processor has the instructions.
            unsafe { compiled(rows, panels, store) };
        }

        fn $depthwise(params: &DepthwiseF32, reads: &ConvReads<'_>, output: &mut [f32]) {
            #[target_feature(enable = $features)]
            fn compiled(params: &DepthwiseF32, reads: &ConvReads<'_>, output: &mut [f32]) {
                // SAFETY: this is compiled for the instructions.
                unsafe { depthwise::<$vector>(params, reads, output) };
            }
            if !has_vectors::<$vector>(params) {
                return portable::depthwise(params, reads, output);
            }
            // SAFETY: whoever chose this set made sure that the processor has the instructions.
            unsafe { compiled(params, reads, output) };
        }
    };
}

// Sums of 12 × 2 vectors leave room for the weights among 32 registers, those of 6 × 2 among 16.
kernels!(
    "avx512f,avx512bw,avx512vl",
    __m512,
    12,
    product_avx512,
    depthwise_avx512
);
kernels!("avx2,fma", __m256, 6, product_avx2, depthwise_avx2);

macro_rules! vector {
    ($vector:ty, $lanes:literal, $splat:ident, $load:ident, $store:ident, $add_product:ident,
     $max:ident, $min:ident) => {
        impl Vector for $vector {
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller's promise.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $add_product(a, b, self) }
            }

            #[inline(always)]
            unsafe fn clip(self, min: Self, max: Self) -> Self {
                // Of a NaN and a number, the instructions give their second operand.
                // SAFETY: the caller's promise.
                unsafe { $min(max, $max(min, self)) }
            }
        }
    };
}

vector!(
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps,
    _mm256_min_ps
);
vector!(
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps,
    _mm512_min_ps
);
