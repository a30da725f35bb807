//! Products of a matrix's rows with a vector, several rows at a time.

use super::conv2d::dots;
use core::array;

/// Rows of one pass over the vector.
const BLOCK: usize = 4;

/// As [`crate::reference::recurrent::mat_vec`].
pub fn mat_vec(weights: &[i8], vector: &[i8], sums: &mut [i32]) {
    let columns = vector.len();
    let (blocks, rest) = sums.as_chunks_mut::<BLOCK>();
    let (whole, last) = weights.split_at(blocks.len() * BLOCK * columns);
    for (sums, rows) in blocks.iter_mut().zip(whole.chunks_exact(BLOCK * columns)) {
        *sums = dots(
            vector,
            array::from_fn(|row| &rows[row * columns..][..columns]),
        );
    }
    for (sum, row) in rest.iter_mut().zip(last.chunks_exact(columns)) {
        [*sum] = dots(vector, [row]);
    }
}
