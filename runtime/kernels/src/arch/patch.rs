//! What one output pixel reads, in one piece.

use crate::num::{Shape, Window};

/// Copies what the output pixel at `at` reads of all channels to `patch`: kernel rows, columns,
/// channels; `zero` where they lie outside. `copy` copies a run to one as long.
#[inline(always)]
pub fn collect<T: Copy>(
    shape: Shape,
    window: &Window,
    zero: T,
    input: &[T],
    at: [usize; 2],
    patch: &mut [T],
    copy: impl Fn(&[T], &mut [T]),
) {
    let depth = shape.channels;
    let rows = window.inside(0, at[0], shape.height);
    let columns = window.inside(1, at[1], shape.width);
    let [kernel_rows, kernel_columns] = window.kernel;
    if rows.len() < kernel_rows || columns.len() < kernel_columns {
        patch.fill(zero);
    }
    for row in 0..rows.len() {
        let y = rows.origin + row * window.dilation[0];
        let to = ((rows.start + row) * kernel_columns + columns.start) * depth;
        let from = (y * shape.width + columns.origin) * depth;
        if window.dilation[1] == 1 {
            // Neighbouring taps are neighbours in the input too, and there is one at least.
            let run = columns.len() * depth;
            copy(&input[from..][..run], &mut patch[to..][..run]);
            continue;
        }
        for column in 0..columns.len() {
            let from = from + column * window.dilation[1] * depth;
            let to = to + column * depth;
            copy(&input[from..][..depth], &mut patch[to..][..depth]);
        }
    }
}
