//! Products of a matrix's rows with a vector, which is widened once for all rows.

use super::dot::{self, TAPS};
use crate::arch::scratch::STACK_WORDS;
use crate::arch::stack::Stack;
use crate::generic;

/// As [`crate::reference::recurrent::mat_vec`].
pub fn mat_vec(weights: &[i8], vector: &[i8], sums: &mut [i32]) {
    let taps = vector.len();
    let mut stack = Stack::<STACK_WORDS>::new();
    let room = stack.or(&mut []);
    if !taps.is_multiple_of(TAPS) || taps == 0 || dot::words(taps, 1) > room.len() {
        return generic::mat_vec::mat_vec(weights, vector, sums);
    }
    dot::widen(vector, 1, room);
    for (sum, row) in sums.iter_mut().zip(weights.chunks_exact(taps)) {
        *sum = dot::one_pixel(row.chunks_exact(TAPS), room);
    }
}
