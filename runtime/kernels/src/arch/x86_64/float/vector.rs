//! Vectors of floats, for code that is one for AVX2 and AVX-512.

use core::arch::x86_64::{
    __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
    _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
    _mm512_set1_ps, _mm512_storeu_ps,
};

/// A vector of floats.
pub trait Vector: Copy {
    /// Its elements.
    const LANES: usize;

    /// `x` in every lane.
    ///
    /// # Safety
    /// As all of these functions: the processor has the instructions, and the caller is compiled
    /// for them.
    unsafe fn splat(x: f32) -> Self;

    /// The elements at `from`.
    ///
    /// # Safety
    /// So many can be read there.
    unsafe fn load(from: *const f32) -> Self;

    /// Writes the elements to `to`.
    ///
    /// # Safety
    /// So many can be written there.
    unsafe fn store(self, to: *mut f32);

    /// `self + a · b`, rounded once.
    ///
    /// # Safety
    /// As [`Vector::splat`].
    unsafe fn add_product(self, a: Self, b: Self) -> Self;

    /// Limited to `min..=max`; NaN stays NaN.
    ///
    /// # Safety
    /// As [`Vector::splat`].
    unsafe fn clip(self, min: Self, max: Self) -> Self;
}

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
