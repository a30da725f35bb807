//! AVX2, with the dot products of bytes of AVX-VNNI or without: two registers a vector.

use super::isa::{BYTES, Isa, Work};
use core::arch::x86_64::*;

/// A vector: its first and its second half.
type Pair = [__m256i; 2];

/// AVX2 alone.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

/// AVX2 and AVX-VNNI.
#[derive(Clone, Copy, Debug)]
pub struct AvxVnni;

/// Functions on vectors, each of instructions of the set that work on the halves alone.
macro_rules! operations {
    ($($name:ident($($a:ident),*) = $instruction:path;)*) => {
        $(
            #[inline(always)]
            fn $name($($a: Pair),*) -> Pair {
                // SAFETY: whoever names the set makes sure that the processor has it.
                unsafe { [$instruction($($a[0]),*), $instruction($($a[1]),*)] }
            }
        )*
    };
}

/// Functions that fill a vector.
macro_rules! splats {
    ($($name:ident: $type:ty = $instruction:path;)*) => {
        $(
            #[inline(always)]
            fn $name(x: $type) -> Pair {
                // SAFETY: as above.
                unsafe { [$instruction(x); 2] }
            }
        )*
    };
}

macro_rules! isa {
    ($isa:ident, $features:literal, $dot:path) => {
        impl Isa for $isa {
            type Vector = Pair;
            const WIDE: bool = false;

            #[inline(always)]
            fn enter(work: impl Work) {
                #[target_feature(enable = $features)]
                fn inner(work: impl Work) {
                    work.run::<$isa>();
                }
                // SAFETY: whoever names the set makes sure that the processor has it.
                unsafe { inner(work) }
            }

            #[inline(always)]
            unsafe fn load(at: *const i8) -> Pair {
                // SAFETY: the caller's promise.
                unsafe {
                    [
                        _mm256_loadu_si256(at.cast()),
                        _mm256_loadu_si256(at.add(32).cast()),
                    ]
                }
            }

            #[inline(always)]
            unsafe fn load_part(at: *const i8, len: usize) -> Pair {
                let mut bytes = [0; BYTES];
                // SAFETY: the caller's promise; the array is a vector's size.
                unsafe {
                    bytes.as_mut_ptr().copy_from_nonoverlapping(at, len);
                    Self::load(bytes.as_ptr())
                }
            }

            #[inline(always)]
            unsafe fn broadcast(at: *const i8) -> Pair {
                // SAFETY: the caller's promise.
                unsafe { [_mm256_set1_epi32(at.cast::<i32>().read_unaligned()); 2] }
            }

            #[inline(always)]
            unsafe fn widen(at: *const i8) -> Pair {
                // SAFETY: the caller's promise.
                unsafe {
                    [
                        _mm256_cvtepi8_epi32(_mm_loadl_epi64(at.cast())),
                        _mm256_cvtepi8_epi32(_mm_loadl_epi64(at.add(8).cast())),
                    ]
                }
            }

            #[inline(always)]
            unsafe fn store(at: *mut i8, vector: Pair) {
                // SAFETY: the caller's promise.
                unsafe {
                    _mm256_storeu_si256(at.cast(), vector[0]);
                    _mm256_storeu_si256(at.add(32).cast(), vector[1]);
                }
            }

            #[inline(always)]
            unsafe fn store_part(at: *mut i8, len: usize, vector: Pair) {
                let mut bytes = [0; BYTES];
                // SAFETY: the caller's promise; the array is a vector's size.
                unsafe {
                    Self::store(bytes.as_mut_ptr(), vector);
                    at.copy_from_nonoverlapping(bytes.as_ptr(), len);
                }
            }

            splats! {
                splat8: i8 = _mm256_set1_epi8;
                splat32: i32 = _mm256_set1_epi32;
            }

            operations! {
                xor(a, b) = _mm256_xor_si256;
                add32(a, b) = _mm256_add_epi32;
                sub32(a, b) = _mm256_sub_epi32;
                dot(sum, unsigned, signed) = $dot;
                mul(a, b) = _mm256_mul_epi32;
                even(a) = even;
                round64(a, by) = round64;
                low(even, odd) = low;
                odd(a) = _mm256_srli_epi64::<32>;
                high(even, odd) = high;
                shift_left(a, by) = _mm256_sllv_epi32;
                shift_right(a, by) = _mm256_srav_epi32;
                pack32(a, b) = _mm256_packs_epi32;
                pack16(a, b) = _mm256_packs_epi16;
                max8(a, b) = _mm256_max_epi8;
                min8(a, b) = _mm256_min_epi8;
            }

            #[inline(always)]
            fn zip8(a: Pair, b: Pair) -> [Pair; 2] {
                // SAFETY: as above.
                unsafe {
                    [
                        [
                            _mm256_unpacklo_epi8(a[0], b[0]),
                            _mm256_unpacklo_epi8(a[1], b[1]),
                        ],
                        [
                            _mm256_unpackhi_epi8(a[0], b[0]),
                            _mm256_unpackhi_epi8(a[1], b[1]),
                        ],
                    ]
                }
            }

            #[inline(always)]
            fn zip16(a: Pair, b: Pair) -> [Pair; 2] {
                // SAFETY: as above.
                unsafe {
                    [
                        [
                            _mm256_unpacklo_epi16(a[0], b[0]),
                            _mm256_unpacklo_epi16(a[1], b[1]),
                        ],
                        [
                            _mm256_unpackhi_epi16(a[0], b[0]),
                            _mm256_unpackhi_epi16(a[1], b[1]),
                        ],
                    ]
                }
            }

            #[inline(always)]
            fn by_place(a: Pair) -> Pair {
                // SAFETY: as above.
                unsafe { by_place(a) }
            }
        }
    };
}

isa!(Avx2, "avx2", dot);
isa!(AvxVnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32);

/// As `VPDPBUSD`: by pairs of int16, which hold all products.
#[inline]
#[target_feature(enable = "avx2")]
fn dot(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
    let even = _mm256_and_si256(unsigned, _mm256_set1_epi16(0xff));
    let odd = _mm256_srli_epi16::<8>(unsigned);
    let signed_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(signed));
    let signed_odd = _mm256_srai_epi16::<8>(signed);
    let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, signed_even));
    _mm256_add_epi32(sum, _mm256_madd_epi16(odd, signed_odd))
}

#[inline]
#[target_feature(enable = "avx2")]
fn even(a: __m256i) -> __m256i {
    _mm256_blend_epi32::<0b1010_1010>(a, _mm256_setzero_si256())
}

/// By a logical shift of what is raised to have no sign.
#[inline]
#[target_feature(enable = "avx2")]
fn round64(a: __m256i, by: __m256i) -> __m256i {
    let one = _mm256_set1_epi64x(1);
    let half = _mm256_sllv_epi64(one, _mm256_sub_epi64(by, one));
    let sign = _mm256_set1_epi64x(i64::MIN);
    let raised = _mm256_xor_si256(_mm256_add_epi64(a, half), sign);
    _mm256_sub_epi64(_mm256_srlv_epi64(raised, by), _mm256_srlv_epi64(sign, by))
}

#[inline]
#[target_feature(enable = "avx2")]
fn low(even: __m256i, odd: __m256i) -> __m256i {
    _mm256_blend_epi32::<0b1010_1010>(even, _mm256_slli_epi64::<32>(odd))
}

#[inline]
#[target_feature(enable = "avx2")]
fn high(even: __m256i, odd: __m256i) -> __m256i {
    _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd)
}

#[inline]
#[target_feature(enable = "avx2")]
fn by_place([a, b]: Pair) -> Pair {
    // The first int32 of quarters 0, 2, 1 and 3, then the second ones; the third and fourth ones.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let a = _mm256_permutevar8x32_epi32(a, order);
    let b = _mm256_permutevar8x32_epi32(b, order);
    // Each has two int32 of a place side by side: those of both halves make a place of four.
    let low = _mm256_unpacklo_epi64(a, b);
    let high = _mm256_unpackhi_epi64(a, b);
    [
        _mm256_permute2x128_si256::<0x20>(low, high),
        _mm256_permute2x128_si256::<0x31>(low, high),
    ]
}
