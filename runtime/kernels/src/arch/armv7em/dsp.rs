//! The DSP instructions that the kernels use, by their names. They touch registers alone.

use core::arch::asm;

/// Bytes 0 and 2 of `word`, each widened to int16.
#[inline(always)]
pub fn sxtb16(word: u32) -> u32 {
    let pair;
    // SAFETY: reads and writes the named registers, nothing else.
    unsafe {
        asm!("sxtb16 {}, {}", out(reg) pair, in(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    pair
}

/// Bytes 1 and 3 of `word`, each widened to int16.
#[inline(always)]
pub fn sxtb16_ror8(word: u32) -> u32 {
    let pair;
    // SAFETY: reads and writes the named registers, nothing else.
    unsafe {
        asm!("sxtb16 {}, {}, ror #8", out(reg) pair, in(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    pair
}

/// `sum` plus both products of the int16 of `a` and `b`.
#[inline(always)]
pub fn smlad(a: u32, b: u32, sum: i32) -> i32 {
    let total;
    // SAFETY: reads and writes the named registers and the sticky Q flag, which nothing reads.
    unsafe {
        asm!("smlad {}, {}, {}, {}", out(reg) total, in(reg) a, in(reg) b, in(reg) sum, options(pure, nomem, nostack, preserves_flags));
    }
    total
}

/// The high word of `sum·factor`, plus `offset`.
#[inline(always)]
pub fn smmla(sum: i32, factor: i32, offset: i32) -> i32 {
    let high;
    // SAFETY: reads and writes the named registers, nothing else.
    unsafe {
        asm!("smmla {}, {}, {}, {}", out(reg) high, in(reg) sum, in(reg) factor, in(reg) offset, options(pure, nomem, nostack, preserves_flags));
    }
    high
}

/// `value` clamped to int8.
#[inline(always)]
pub fn ssat8(value: i32) -> i32 {
    let clamped;
    // SAFETY: reads and writes the named registers and the sticky Q flag, which nothing reads.
    unsafe {
        asm!("ssat {}, #8, {}", out(reg) clamped, in(reg) value, options(pure, nomem, nostack, preserves_flags));
    }
    clamped
}

/// Both int16 of `sums` plus bytes 0 and 2 of `word`.
#[inline(always)]
pub fn sxtab16(sums: u32, word: u32) -> u32 {
    let total;
    // SAFETY: reads and writes the named registers, nothing else.
    unsafe {
        asm!("sxtab16 {}, {}, {}", out(reg) total, in(reg) sums, in(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    total
}

/// Both int16 of `sums` plus bytes 1 and 3 of `word`.
#[inline(always)]
pub fn sxtab16_ror8(sums: u32, word: u32) -> u32 {
    let total;
    // SAFETY: reads and writes the named registers, nothing else.
    unsafe {
        asm!("sxtab16 {}, {}, {}, ror #8", out(reg) total, in(reg) sums, in(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    total
}
