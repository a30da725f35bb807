//! Dot products of int8 weights with widened inputs.
//!
//! Inputs are widened once and used for every output channel. In [`widen`]'s layout the taps of
//! `PIXELS` pixels lie side by side: for each four taps first the even pairs of every pixel, then
//! the odd ones, so that one `LDM` fetches what one pair of weights is multiplied with.

use super::dsp::{smlad, sxtb16, sxtb16_ror8};
use core::arch::asm;

/// Taps in a word of weights.
pub const TAPS: usize = 4;

/// Pixels that [`four_pixels`] computes together.
pub const PIXELS: usize = 4;

/// Words that `taps` taps of `pixels` pixels take once widened; a last word of fewer taps counts
/// as one.
pub const fn words(taps: usize, pixels: usize) -> usize {
    taps.div_ceil(TAPS) * 2 * pixels
}

/// Widens the taps of pixel `pixel` among `pixels`, which are whole words of four.
#[inline(always)]
pub fn widen(taps: &[i8], wide: &mut [u32], pixels: usize, pixel: usize) {
    assert!(taps.len() / TAPS * 2 * pixels <= wide.len() && pixel < pixels);
    let mut at = wide.as_mut_ptr().wrapping_add(pixel);
    for word in taps.as_chunks::<TAPS>().0 {
        let word = u32::from_le_bytes(word.map(|tap| tap as u8));
        // SAFETY: word `n` of the taps writes to `2·pixels·n + pixel` and `pixels` after that,
        // and `wide` has `2·pixels` for each of them.
        unsafe {
            at.write(sxtb16(word));
            at.wrapping_add(pixels).write(sxtb16_ror8(word));
        }
        at = at.wrapping_add(2 * pixels);
    }
}

/// As [`widen`] for any number of taps from four. Where they are no multiple of four, the last
/// word has the last four taps, with those that the word before it had already set to zero.
#[inline(always)]
pub fn widen_all(taps: &[i8], wide: &mut [u32], pixels: usize, pixel: usize) {
    widen(taps, wide, pixels, pixel);
    let (rest, whole) = (taps.len() % TAPS, taps.len() / TAPS);
    if let (1.., Some(last)) = (rest, taps.last_chunk::<TAPS>()) {
        let word =
            u32::from_le_bytes(last.map(|tap| tap as u8)) & (u32::MAX << (8 * (TAPS - rest)));
        let wide = &mut wide[whole * 2 * pixels..];
        wide[pixel] = sxtb16(word);
        wide[pixel + pixels] = sxtb16_ror8(word);
    }
}

/// As [`widen`] for `taps` taps of padding, a multiple of four, all of which have one value.
pub fn widen_padding(value: i8, taps: usize, wide: &mut [u32], pixels: usize, pixel: usize) {
    let pair = sxtb16(u32::from_le_bytes([value as u8; 4]));
    for wide in wide[..words(taps, pixels)].chunks_exact_mut(pixels) {
        wide[pixel] = pair;
    }
}

/// `start` plus the dot products of `weights` with each of four pixels.
#[inline(always)]
pub fn four_pixels(weights: &[i8], wide: &[u32], start: i32) -> [i32; PIXELS] {
    let whole = weights.len() / TAPS;
    debug_assert!(weights.len() >= TAPS && wide.len() >= words(weights.len(), PIXELS));
    // SAFETY: `whole` words of weights and as many times `2·PIXELS` of `wide` are there.
    let sums = unsafe { four_pixels_of(weights.as_ptr(), wide.as_ptr(), whole, [start; 4]) };
    if weights.len().is_multiple_of(TAPS) {
        return sums;
    }
    let wide = wide.as_ptr().wrapping_add(whole * 2 * PIXELS);
    let last = weights.as_ptr().wrapping_add(weights.len() - TAPS);
    // SAFETY: the last four weights, and the last word of the taps.
    unsafe { four_pixels_of(last, wide, 1, sums) }
}

/// `start` plus the dot products of one pixel with each of four rows of `taps` weights.
#[inline(always)]
pub fn four_channels(weights: &[i8], taps: usize, wide: &[u32], start: [i32; 4]) -> [i32; 4] {
    let whole = taps / TAPS;
    debug_assert!(taps >= TAPS && weights.len() >= 4 * taps && wide.len() >= words(taps, 1));
    // SAFETY: `whole` words of weights in each of the rows, and twice as many of `wide`, are there.
    let sums = unsafe { four_channels_of(weights.as_ptr(), taps, wide.as_ptr(), whole, start) };
    if taps.is_multiple_of(TAPS) {
        return sums;
    }
    let wide = wide.as_ptr().wrapping_add(2 * whole);
    let last = weights.as_ptr().wrapping_add(taps - TAPS);
    // SAFETY: the last four weights of each row, and the last word of the taps.
    unsafe { four_channels_of(last, taps, wide, 1, sums) }
}

/// The dot product of `weights` with one pixel.
pub fn one_channel(weights: &[i8], wide: &[u32]) -> i32 {
    let (words, rest) = weights.as_chunks::<TAPS>();
    let last = weights.last_chunk().filter(|_| !rest.is_empty());
    let mut sum = 0;
    for (weights, wide) in words.iter().chain(last).zip(wide.as_chunks::<2>().0) {
        let word = u32::from_le_bytes(weights.map(|weight| weight as u8));
        sum = smlad(sxtb16(word), wide[0], sum);
        sum = smlad(sxtb16_ror8(word), wide[1], sum);
    }
    sum
}

/// Four taps of one channel for four pixels: 16 products in 13 instructions.
macro_rules! four_pixels_step {
    () => {
        "ldr r12, [r0], #4
        ldm r1!, {{r2-r5}}
        sxtb16 lr, r12
        sxtb16 r12, r12, ror #8
        smlad r8, lr, r2, r8
        smlad r9, lr, r3, r9
        smlad r10, lr, r4, r10
        smlad r11, lr, r5, r11
        ldm r1!, {{r2-r5}}
        smlad r8, r12, r2, r8
        smlad r9, r12, r3, r9
        smlad r10, r12, r4, r10
        smlad r11, r12, r5, r11"
    };
}

/// # Safety
/// `steps` words from `weights` and `8·steps` from `wide` must be readable.
#[inline(always)]
unsafe fn four_pixels_of(
    weights: *const i8,
    wide: *const u32,
    steps: usize,
    start: [i32; 4],
) -> [i32; 4] {
    let [mut a, mut b, mut c, mut d] = start;
    // SAFETY: reads what the caller promises; r6, which Rust keeps, is put back.
    unsafe {
        asm!(
            "push {{r6, r7}}",
            "subs r6, r2, #4",
            "blt 3f",
            "2:",
            four_pixels_step!(),
            four_pixels_step!(),
            four_pixels_step!(),
            four_pixels_step!(),
            "subs r6, #4",
            "bge 2b",
            "3:",
            "adds r6, #4",
            "beq 5f",
            "4:",
            four_pixels_step!(),
            "subs r6, #1",
            "bne 4b",
            "5:",
            "pop {{r6, r7}}",
            inout("r0") weights => _,
            inout("r1") wide => _,
            inout("r2") steps => _,
            out("r3") _, out("r4") _, out("r5") _, out("r12") _, out("lr") _,
            inout("r8") a, inout("r9") b, inout("r10") c, inout("r11") d,
            options(readonly),
        );
    }
    [a, b, c, d]
}

/// Four taps of one pixel for the channel that `$weights` points to and `$sum` adds up.
macro_rules! one_channel_step {
    ($weights:literal, $sum:literal) => {
        concat!(
            "ldr r12, [",
            $weights,
            "], #4\n",
            "sxtb16 lr, r12\n",
            "sxtb16 r12, r12, ror #8\n",
            "smlad ",
            $sum,
            ", lr, r5, ",
            $sum,
            "\n",
            "smlad ",
            $sum,
            ", r12, r6, ",
            $sum,
            "\n",
        )
    };
}

/// Four taps of one pixel for four channels: 16 products in 21 instructions.
macro_rules! four_channels_step {
    () => {
        concat!(
            "ldm r4!, {{r5, r6}}\n",
            one_channel_step!("r0", "r8"),
            one_channel_step!("r1", "r9"),
            one_channel_step!("r2", "r10"),
            one_channel_step!("r3", "r11"),
        )
    };
}

/// # Safety
/// `steps` words from `weights`, and from `pitch`, `2·pitch` and `3·pitch` bytes after it, and
/// `2·steps` words from `wide` must be readable.
#[inline(always)]
unsafe fn four_channels_of(
    weights: *const i8,
    pitch: usize,
    wide: *const u32,
    steps: usize,
    start: [i32; 4],
) -> [i32; 4] {
    let [mut a, mut b, mut c, mut d] = start;
    // SAFETY: reads what the caller promises; r6 and r7, which Rust keeps, are put back.
    unsafe {
        asm!(
            "push {{r6, r7}}",
            "add r2, r0, r1, lsl #1",
            "add r3, r2, r1",
            "add r1, r0, r1",
            "subs r7, r5, #2",
            "blt 3f",
            "2:",
            four_channels_step!(),
            four_channels_step!(),
            "subs r7, #2",
            "bge 2b",
            "3:",
            "adds r7, #1",
            "bne 4f",
            four_channels_step!(),
            "4:",
            "pop {{r6, r7}}",
            inout("r0") weights => _,
            inout("r1") pitch => _,
            out("r2") _, out("r3") _,
            inout("r4") wide => _,
            inout("r5") steps => _,
            out("r12") _, out("lr") _,
            inout("r8") a, inout("r9") b, inout("r10") c, inout("r11") d,
            options(readonly),
        );
    }
    [a, b, c, d]
}
