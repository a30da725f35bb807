//! Widened inputs, and dot products of int8 weights with them.
//!
//! Inputs are widened once and used for every output channel. In [`widen`]'s layout the taps of
//! `PIXELS` pixels lie side by side: for each four taps first the even pairs of every pixel, then
//! the odd ones, so that one `LDM` fetches what one pair of weights is multiplied with.

use super::dsp::{smlad, sxtb16, sxtb16_ror8};

/// Taps in a word of weights.
pub const TAPS: usize = 4;

/// Pixels that are computed together where there are as many.
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

/// The dot product of `weights` with pixel `pixel` among `pixels`.
pub fn one(weights: &[i8], wide: &[u32], pixels: usize, pixel: usize) -> i32 {
    let (words, rest) = weights.as_chunks::<TAPS>();
    let last = weights.last_chunk().filter(|_| !rest.is_empty());
    let mut sum = 0;
    for (weights, wide) in words.iter().chain(last).zip(wide.chunks_exact(2 * pixels)) {
        let word = u32::from_le_bytes(weights.map(|weight| weight as u8));
        sum = smlad(sxtb16(word), wide[pixel], sum);
        sum = smlad(sxtb16_ror8(word), wide[pixel + pixels], sum);
    }
    sum
}
