//! Dot products of patches with the weights of a block of channels, by each kind of multiplier.
//!
//! Weights lie in groups of [`TAPS`] taps by [`LANES`] channels: a load has four channels, side
//! by side. `SDOT` and `SMMLA` are written as assembly: this Rust has no stable name for them.

use super::finish::{LANES, Sums};
use core::arch::aarch64::*;
use core::arch::asm;
use core::array;

/// Taps of a group.
pub const TAPS: usize = 4;
/// Patches of one pass over the weights.
pub const TILE: usize = 4;

/// How bytes are multiplied. Patches are as long as one another, in whole groups, and `weights`
/// has as many groups.
pub trait Dot {
    /// The sums of each patch of a tile.
    fn tile(weights: &[i8], patches: [&[i8]; TILE]) -> [Sums; TILE];
    /// The sums of one patch.
    fn one(weights: &[i8], patch: &[i8]) -> Sums;
}

/// `SMULL` and `SADALP`, which every core has.
pub struct Neon;
/// `SDOT`.
pub struct DotProd;
/// `SMMLA`, and `SDOT` for a patch alone.
pub struct I8mm;

impl Dot for Neon {
    fn tile(weights: &[i8], [a, b, c, d]: [&[i8]; TILE]) -> [Sums; TILE] {
        // Two at a time: sixteen sums are all that the registers hold.
        let ([a, b], [c, d]) = (pairwise(weights, [a, b]), pairwise(weights, [c, d]));
        [a, b, c, d]
    }

    fn one(weights: &[i8], patch: &[i8]) -> Sums {
        let [sums] = pairwise(weights, [patch]);
        sums
    }
}

impl Dot for DotProd {
    fn tile(weights: &[i8], patches: [&[i8]; TILE]) -> [Sums; TILE] {
        by_fours(weights, patches)
    }

    fn one(weights: &[i8], patch: &[i8]) -> Sums {
        let [sums] = by_fours(weights, [patch]);
        sums
    }
}

impl Dot for I8mm {
    fn tile(weights: &[i8], patches: [&[i8]; TILE]) -> [Sums; TILE] {
        by_blocks(weights, patches)
    }

    fn one(weights: &[i8], patch: &[i8]) -> Sums {
        DotProd::one(weights, patch)
    }
}

/// The groups of weights, once it is sure that there are as many in each patch.
fn groups<const N: usize>(weights: &[i8], patches: [&[i8]; N]) -> usize {
    let groups = weights.len() / (LANES * TAPS);
    assert!(patches.iter().all(|patch| patch.len() >= groups * TAPS));
    groups
}

/// Four weights of each of four channels: load `quad` of group `group`.
///
/// # Safety
/// `weights` has that group.
#[inline(always)]
unsafe fn load(weights: &[i8], group: usize, quad: usize) -> int8x16_t {
    // SAFETY: by this function's contract; a group is four loads of sixteen bytes.
    unsafe { vld1q_s8(weights.as_ptr().add(group * LANES * TAPS + quad * 16)) }
}

/// Group `group` of a patch, four times.
///
/// # Safety
/// `patch` has that group.
#[inline(always)]
unsafe fn spread(patch: &[i8], group: usize) -> int8x16_t {
    // SAFETY: by this function's contract; the load needs no alignment.
    unsafe {
        let word = patch.as_ptr().add(group * TAPS).cast::<i32>();
        vreinterpretq_s8_s32(vdupq_n_s32(word.read_unaligned()))
    }
}

#[inline(always)]
fn pairwise<const N: usize>(weights: &[i8], patches: [&[i8]; N]) -> [Sums; N] {
    let groups = groups(weights, patches);
    // SAFETY: AArch64 has NEON, and `groups` are in weights and patches.
    unsafe {
        let zero = vdupq_n_s32(0);
        // Of each quad: sums of pairs of taps of two channels, then of the other two.
        let mut sums = [[[zero; 2]; LANES / 4]; N];
        for group in 0..groups {
            let taps = patches.map(|patch| spread(patch, group));
            for quad in 0..LANES / 4 {
                let weights = load(weights, group, quad);
                for (sums, &taps) in sums.iter_mut().zip(&taps) {
                    let [low, high] = &mut sums[quad];
                    let products = vmull_s8(vget_low_s8(weights), vget_low_s8(taps));
                    *low = vpadalq_s16(*low, products);
                    *high = vpadalq_s16(*high, vmull_high_s8(weights, taps));
                }
            }
        }
        sums.map(|sums| sums.map(|[low, high]| vpaddq_s32(low, high)))
    }
}

#[inline(always)]
fn by_fours<const N: usize>(weights: &[i8], patches: [&[i8]; N]) -> [Sums; N] {
    let groups = groups(weights, patches);
    // SAFETY: AArch64 has NEON, the core has `SDOT`, and `groups` are in weights and patches.
    unsafe {
        let mut sums = [[vdupq_n_s32(0); LANES / 4]; N];
        for group in 0..groups {
            let taps = patches.map(|patch| spread(patch, group));
            for quad in 0..LANES / 4 {
                let weights = load(weights, group, quad);
                for (sums, &taps) in sums.iter_mut().zip(&taps) {
                    sdot(&mut sums[quad], weights, taps);
                }
            }
        }
        sums
    }
}

/// Adds to each sum the products of four bytes with four.
///
/// # Safety
/// The core has `SDOT`.
#[inline(always)]
unsafe fn sdot(sums: &mut int32x4_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: by this function's contract; the instruction touches registers alone.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) *sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

/// Adds to the 2 × 2 sums, row by row, the products of 2 × 8 bytes with 2 × 8.
///
/// # Safety
/// The core has `SMMLA`.
#[inline(always)]
unsafe fn smmla(sums: &mut int32x4_t, a: int8x16_t, b: int8x16_t) {
    // SAFETY: by this function's contract; the instruction touches registers alone.
    unsafe {
        asm!(
            ".arch_extension i8mm",
            "smmla {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) *sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
}

fn by_blocks(weights: &[i8], patches: [&[i8]; TILE]) -> [Sums; TILE] {
    let groups = groups(weights, patches);
    // SAFETY: AArch64 has NEON, the core has `SMMLA`, and `groups` are in weights and patches.
    unsafe {
        let zero = vdupq_n_s32(0);
        // Of each pair of patches and pair of channels: the four sums, patch by patch.
        let mut sums = [[zero; LANES / 2]; TILE / 2];
        for group in (1..groups).step_by(2) {
            two_groups(&mut sums, weights, patches, group - 1, Some(group));
        }
        if groups % 2 == 1 {
            two_groups(&mut sums, weights, patches, groups - 1, None);
        }
        let [first, second] = sums.map(by_patch);
        [first[0], first[1], second[0], second[1]]
    }
}

/// Adds the products of group `group` and of the next one, if that is given.
///
/// # Safety
/// The core has `SMMLA`; weights and patches have the groups.
#[inline(always)]
unsafe fn two_groups(
    sums: &mut [[int32x4_t; LANES / 2]; TILE / 2],
    weights: &[i8],
    patches: [&[i8]; TILE],
    group: usize,
    next: Option<usize>,
) {
    // SAFETY: by this function's contract.
    unsafe {
        let after = |patch| next.map_or(vdupq_n_s8(0), |next| spread(patch, next));
        let [a, b, c, d] = patches.map(|patch| {
            let taps = [spread(patch, group), after(patch)];
            vreinterpretq_s64_s8(join_low(taps[0], taps[1]))
        });
        let pairs = [vzip1q_s64(a, b), vzip1q_s64(c, d)].map(|pair| vreinterpretq_s8_s64(pair));
        for quad in 0..LANES / 4 {
            let first = load(weights, group, quad);
            let second = next.map_or(vdupq_n_s8(0), |next| load(weights, next, quad));
            let channels = [join_low(first, second), join_high(first, second)];
            for (sums, &pair) in sums.iter_mut().zip(&pairs) {
                smmla(&mut sums[quad * 2], pair, channels[0]);
                smmla(&mut sums[quad * 2 + 1], pair, channels[1]);
            }
        }
    }
}

/// Words 0 and 1 of both, in turn.
#[inline(always)]
fn join_low(a: int8x16_t, b: int8x16_t) -> int8x16_t {
    // SAFETY: AArch64 has NEON.
    unsafe { vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b))) }
}

/// Words 2 and 3 of both, in turn.
#[inline(always)]
fn join_high(a: int8x16_t, b: int8x16_t) -> int8x16_t {
    // SAFETY: AArch64 has NEON.
    unsafe { vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b))) }
}

/// The sums of each of two patches.
#[inline(always)]
fn by_patch(sums: [int32x4_t; LANES / 2]) -> [Sums; 2] {
    // SAFETY: AArch64 has NEON.
    unsafe {
        let pair = |pair: usize| vreinterpretq_s64_s32(sums[pair]);
        let first = |quad| vzip1q_s64(pair(quad * 2), pair(quad * 2 + 1));
        let second = |quad| vzip2q_s64(pair(quad * 2), pair(quad * 2 + 1));
        [
            array::from_fn(|quad| vreinterpretq_s32_s64(first(quad))),
            array::from_fn(|quad| vreinterpretq_s32_s64(second(quad))),
        ]
    }
}
