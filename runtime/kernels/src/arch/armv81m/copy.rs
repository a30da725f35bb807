//! Copies of runs of any length.

use core::arch::asm;

/// Copies `from` to `to`, 16 bytes at a time.
pub fn copy(from: &[i8], to: &mut [i8]) {
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
