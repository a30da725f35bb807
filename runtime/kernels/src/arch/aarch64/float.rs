//! Floats in NEON, which every AArch64 core has.

use crate::arch::float::depthwise::{depthwise, has_vectors};
use crate::arch::float::product::product;
use crate::arch::float::vector::Vector;
use crate::arch::simd::Simd;
use crate::float::conv2d::ConvReads;
use crate::float::depthwise::{self as portable, DepthwiseF32};
use crate::float::tile::{Panels, Rows, Store};
use crate::set::FloatKernels;
use core::arch::aarch64::{
    float32x4_t, vdupq_n_f32, vfmaq_f32, vld1q_f32, vmaxq_f32, vminq_f32, vst1q_f32,
};

/// For every AArch64 core.
pub const NEON: FloatKernels = FloatKernels {
    depthwise: depthwise_neon,
    product: product_neon,
    simd: Simd::Baseline,
};

fn product_neon(rows: &Rows<'_>, panels: &Panels<'_>, store: Store<'_>) {
    // SAFETY: every AArch64 core has the instructions.
    unsafe { product::<float32x4_t, 12>(rows, panels, store) };
}

fn depthwise_neon(params: &DepthwiseF32, reads: &ConvReads<'_>, output: &mut [f32]) {
    if !has_vectors::<float32x4_t>(params) {
        return portable::depthwise(params, reads, output);
    }
    // SAFETY: every AArch64 core has the instructions.
    unsafe { depthwise::<float32x4_t>(params, reads, output) };
}

impl Vector for float32x4_t {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: every AArch64 core has the instruction.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { vst1q_f32(to, self) }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: every AArch64 core has the instruction.
        unsafe { vfmaq_f32(self, a, b) }
    }

    #[inline(always)]
    unsafe fn clip(self, min: Self, max: Self) -> Self {
        // The instructions give NaN if either operand is.
        // SAFETY: every AArch64 core has them.
        unsafe { vminq_f32(max, vmaxq_f32(min, self)) }
    }
}
