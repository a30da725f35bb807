//! What one output pixel reads, in one piece.

use crate::num::{Shape, Window};
use core::arch::asm;

/// Copies what the output pixel at `at` reads of all channels to `patch`: kernel rows, columns,
/// channels; `zero` where they lie outside.
pub fn collect(
    shape: Shape,
    window: &Window,
    zero: i8,
    input: &[i8],
    at: [usize; 2],
    patch: &mut [i8],
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
            let run = columns.len() * depth;
            copy(&input[from..][..run], &mut patch[to..][..run]);
            continue;
        }
        for column in 0..columns.len() {
            let from = from + column * window.dilation[1] * depth;
            copy(
                &input[from..][..depth],
                &mut patch[to + column * depth..][..depth],
            );
        }
    }
}

/// Copies `from` to `to`, 16 bytes at a time.
fn copy(from: &[i8], to: &mut [i8]) {
    assert!(from.len() == to.len());
    if from.is_empty() {
        return;
    }
    // SAFETY: the last vector is masked, so that as many bytes are read and written as there are.
    unsafe {
        asm!(
            "dlstp.8 lr, {len}",
            "2:",
            "vldrb.u8 q0, [{from}], #16",
            "vstrb.8 q0, [{to}], #16",
            "letp lr, 2b",
            len = in(reg) from.len(),
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_mut_ptr() => _,
            out("lr") _,
            out("q0") _,
            options(nostack),
        );
    }
}
