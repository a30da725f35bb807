//! Widened inputs, and dot products of int8 weights with them.
//!
//! Inputs are widened once and used for every output channel. In [`widen`]'s layout the taps of
//! `PIXELS` pixels lie side by side: for each four taps first the even pairs of every pixel, then
//! the odd ones, so that one `LDM` fetches what one pair of weights is multiplied with.

use super::dsp::{smlad, sxtb16, sxtb16_ror8};
use core::arch::{asm, naked_asm};

/// Taps in a word of weights.
pub const TAPS: usize = 4;

/// Pixels that are computed together where there are as many.
pub const PIXELS: usize = 4;

/// Words that `taps` taps of `pixels` pixels take once widened; a last word of fewer taps counts
/// as one.
pub const fn words(taps: usize, pixels: usize) -> usize {
    taps.div_ceil(TAPS) * 2 * pixels
}

/// Copies `from` to `to`, which is as long: short runs at any address, for which `memcpy` is slow.
#[inline(always)]
pub fn copy(from: &[i8], to: &mut [i8]) {
    assert!(from.len() == to.len());
    let len = from.len();
    if len < TAPS {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = from;
        }
        return;
    }
    if (from.as_ptr().addr() | to.as_ptr().addr() | len).is_multiple_of(TAPS) {
        // SAFETY: copies `len` bytes in whole words, which are aligned on both sides.
        unsafe { copy_words(from.as_ptr(), to.as_mut_ptr(), len) };
        return;
    }
    // SAFETY: copies `len` bytes, a word at a time; the last word, which ends where they do, may
    // overlap the one before it.
    unsafe {
        asm!(
            "subs {len}, #4",
            "2:",
            "ldr {word}, [{from}], #4",
            "str {word}, [{to}], #4",
            "subs {len}, #4",
            "bge 2b",
            "ldr {word}, [{from}, {len}]",
            "str {word}, [{to}, {len}]",
            len = inout(reg) len => _,
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_mut_ptr() => _,
            word = out(reg) _,
            options(nostack),
        );
    }
}

/// Copies `rows` runs of `run` bytes, four at least, that begin `pitch` bytes apart: to one after
/// another, at any address.
#[inline(always)]
pub fn copy_runs(from: &[i8], pitch: usize, run: usize, rows: usize, to: &mut [i8]) {
    assert!(run >= TAPS && rows > 0);
    assert!((rows - 1) * pitch + run <= from.len() && rows * run <= to.len());
    // SAFETY: the last run ends inside, and there is room for all, as the assertion says.
    unsafe { runs(from.as_ptr(), to.as_mut_ptr(), run, pitch, rows) };
}

/// The last word of a run, which ends where the run does, may overlap the one before it.
///
/// # Safety
/// Neither `run` is less than 4 nor `rows` than 1; every run can be read, and there is room for all
/// of them.
#[unsafe(naked)]
unsafe extern "C" fn runs(from: *const i8, to: *mut i8, run: usize, pitch: usize, rows: usize) {
    naked_asm!(
        "push {{r4-r7, lr}}",
        "ldr r4, [sp, #20]",
        "1:",
        "mov r5, r0",
        "subs r6, r2, #4",
        "2:",
        "ldr r7, [r5], #4",
        "str r7, [r1], #4",
        "subs r6, #4",
        "bge 2b",
        "ldr r7, [r5, r6]",
        "add r1, r6",
        "str r7, [r1], #4",
        "add r0, r3",
        "subs r4, #1",
        "bne 1b",
        "pop {{r4-r7, pc}}",
    )
}

/// Copies `len` bytes, a multiple of 4 and not 0, from word to word.
///
/// # Safety
/// Both addresses are multiples of 4, with `len` bytes that can be read and written.
#[inline(always)]
unsafe fn copy_words(from: *const i8, to: *mut i8, len: usize) {
    // SAFETY: as the caller promises; four words at a time, then one.
    unsafe {
        asm!(
            "subs {len}, #16",
            "blt 3f",
            "2:",
            "ldm {from}!, {{r3, r4, r5, r8}}",
            "stm {to}!, {{r3, r4, r5, r8}}",
            "subs {len}, #16",
            "bge 2b",
            "3:",
            "adds {len}, #16",
            "beq 5f",
            "4:",
            "ldr r3, [{from}], #4",
            "str r3, [{to}], #4",
            "subs {len}, #4",
            "bgt 4b",
            "5:",
            len = inout(reg) len => _,
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            out("r8") _,
            options(nostack),
        );
    }
}

/// Widens the taps of `pixels` pixels, one or [`PIXELS`], one after the other in whole words.
#[inline(always)]
pub fn widen(taps: &[i8], pixels: usize, wide: &mut [u32]) {
    let pitch = taps.len() / pixels;
    assert!(wide.len() >= words(pitch, pixels) && pitch.is_multiple_of(TAPS) && pitch > 0);
    if pixels == PIXELS {
        // SAFETY: four times `pitch` taps are there, and two words for each four of them.
        return unsafe { widen_four(taps.as_ptr(), pitch, wide.as_mut_ptr()) };
    }
    for (word, wide) in taps
        .as_chunks::<TAPS>()
        .0
        .iter()
        .zip(wide.as_chunks_mut().0)
    {
        let word = u32::from_le_bytes(word.map(|tap| tap as u8));
        *wide = [sxtb16(word), sxtb16_ror8(word)];
    }
}

/// # Safety
/// `pitch`, a multiple of four and not 0, times four bytes from `taps` must be readable, and twice
/// as many from `wide` writable.
#[unsafe(naked)]
unsafe extern "C" fn widen_four(taps: *const i8, pitch: usize, wide: *mut u32) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "add r3, r1, r1, lsl #1",
        "mov lr, r1",
        "2:",
        "ldr r5, [r0, r1]",
        "ldr r6, [r0, r1, lsl #1]",
        "ldr r7, [r0, r3]",
        "ldr r4, [r0], #4",
        "sxtb16 r8, r4",
        "sxtb16 r9, r5",
        "sxtb16 r10, r6",
        "sxtb16 r11, r7",
        "stm r2!, {{r8-r11}}",
        "sxtb16 r4, r4, ror #8",
        "sxtb16 r5, r5, ror #8",
        "sxtb16 r6, r6, ror #8",
        "sxtb16 r7, r7, ror #8",
        "stm r2!, {{r4-r7}}",
        "subs lr, #4",
        "bne 2b",
        "pop {{r4-r11, pc}}",
    )
}

/// The dot product of words of weights with the one pixel of `wide`; what is beyond the first four
/// weights of a word is not looked at.
pub fn one_pixel<'a>(words: impl Iterator<Item = &'a [i8]>, wide: &[u32]) -> i32 {
    let mut sum = 0;
    for (weights, wide) in words.zip(wide.as_chunks::<2>().0) {
        let mut bytes = [0; TAPS];
        for (byte, &weight) in bytes.iter_mut().zip(weights) {
            *byte = weight as u8;
        }
        let word = u32::from_le_bytes(bytes);
        sum = smlad(sxtb16(word), wide[0], sum);
        sum = smlad(sxtb16_ror8(word), wide[1], sum);
    }
    sum
}
