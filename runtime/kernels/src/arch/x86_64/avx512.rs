//! AVX-512 with its dot products of bytes (VNNI).

use super::isa::{Isa, Work};
use core::arch::x86_64::*;

/// AVX-512: F, BW, DQ, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

/// Functions on vectors, each of instructions of the set.
macro_rules! operations {
    ($($name:ident($($a:ident: $type:ty),*) -> $result:ty { $value:expr })*) => {
        $(
            #[inline(always)]
            fn $name($($a: $type),*) -> $result {
                // SAFETY: whoever names the set makes sure that the processor has it.
                unsafe { $value }
            }
        )*
    };
}

impl Isa for Avx512 {
    type Vector = __m512i;
    const WIDE: bool = true;

    #[inline(always)]
    fn enter(work: impl Work) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        fn inner(work: impl Work) {
            work.run::<Avx512>();
        }
        // SAFETY: whoever names the set makes sure that the processor has it.
        unsafe { inner(work) }
    }

    #[inline(always)]
    unsafe fn load(at: *const i8) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_si512(at.cast()) }
    }

    #[inline(always)]
    unsafe fn load_part(at: *const i8, len: usize) -> __m512i {
        // SAFETY: the caller's promise; the mask leaves out what follows.
        unsafe { _mm512_maskz_loadu_epi8(first(len), at) }
    }

    #[inline(always)]
    unsafe fn broadcast(at: *const i8) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_set1_epi32(at.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn widen(at: *const i8) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(at.cast())) }
    }

    #[inline(always)]
    unsafe fn store(at: *mut i8, vector: __m512i) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_si512(at.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn store_part(at: *mut i8, len: usize, vector: __m512i) {
        // SAFETY: the caller's promise; the mask leaves out what follows.
        unsafe { _mm512_mask_storeu_epi8(at, first(len), vector) }
    }

    operations! {
        splat8(x: i8) -> __m512i { _mm512_set1_epi8(x) }
        splat32(x: i32) -> __m512i { _mm512_set1_epi32(x) }
        xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        add32(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        sub32(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi32(a, b) }
        dot(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
            _mm512_dpbusd_epi32(sum, unsigned, signed)
        }
        mul(a: __m512i, b: __m512i) -> __m512i { _mm512_mul_epi32(a, b) }
        even(a: __m512i) -> __m512i { _mm512_maskz_mov_epi32(0x5555, a) }
        odd(a: __m512i) -> __m512i { _mm512_srli_epi64::<32>(a) }
        round64(a: __m512i, by: __m512i) -> __m512i { round64(a, by) }
        low(even: __m512i, odd: __m512i) -> __m512i {
            _mm512_mask_shuffle_epi32::<0b10_10_00_00>(even, 0xaaaa, odd)
        }
        high(even: __m512i, odd: __m512i) -> __m512i {
            _mm512_mask_shuffle_epi32::<0b11_11_01_01>(odd, 0x5555, even)
        }
        shift_left(a: __m512i, by: __m512i) -> __m512i { _mm512_sllv_epi32(a, by) }
        shift_right(a: __m512i, by: __m512i) -> __m512i { _mm512_srav_epi32(a, by) }
        pack32(a: __m512i, b: __m512i) -> __m512i { _mm512_packs_epi32(a, b) }
        pack16(a: __m512i, b: __m512i) -> __m512i { _mm512_packs_epi16(a, b) }
        max8(a: __m512i, b: __m512i) -> __m512i { _mm512_max_epi8(a, b) }
        min8(a: __m512i, b: __m512i) -> __m512i { _mm512_min_epi8(a, b) }
        zip8(a: __m512i, b: __m512i) -> [__m512i; 2] {
            [_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)]
        }
        zip16(a: __m512i, b: __m512i) -> [__m512i; 2] {
            [_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)]
        }
        by_place(a: __m512i) -> __m512i {
            _mm512_permutexvar_epi32(
                _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                a,
            )
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn round64(a: __m512i, by: __m512i) -> __m512i {
    let one = _mm512_set1_epi64(1);
    let half = _mm512_sllv_epi64(one, _mm512_sub_epi64(by, one));
    _mm512_srav_epi64(_mm512_add_epi64(a, half), by)
}

/// The mask of the first `len` bytes.
#[inline(always)]
fn first(len: usize) -> u64 {
    debug_assert!((1..=64).contains(&len));
    u64::MAX >> (64 - len)
}
