//! Products of a matrix's rows with a vector, which is widened once for all rows.

use super::SCRATCH_BYTES;
use super::dot::{self, TAPS};
use crate::generic;

/// Words of scratch.
const WORDS: usize = SCRATCH_BYTES / size_of::<u32>();
/// Longest vector that is widened as a whole.
const TAPS_MAX: usize = WORDS / 2 * TAPS;

/// As [`crate::reference::recurrent::mat_vec`].
pub fn mat_vec(weights: &[i8], vector: &[i8], sums: &mut [i32]) {
    let taps = vector.len();
    if !(TAPS..=TAPS_MAX).contains(&taps) {
        return generic::mat_vec::mat_vec(weights, vector, sums);
    }
    let (mut patch, mut wide) = ([0; TAPS_MAX], [0; WORDS]);
    let patch = &mut patch[..taps.next_multiple_of(TAPS)];
    dot::copy(vector, &mut patch[..taps]);
    dot::split_last(patch, taps);
    let wide = &mut wide[..dot::words(taps, 1)];
    dot::widen(patch, 1, wide);
    for (sum, row) in sums.iter_mut().zip(weights.chunks_exact(taps)) {
        *sum = dot::one_pixel(row, wide);
    }
}
