//! The inner loops of a 3×3 depthwise convolution: channels to planes, and all outputs of one
//! channel from its plane.
//!
//! Functions in assembly, for the reasons that `block` has. The word at a column has what two
//! neighbouring outputs read in its row: `SXTB16` makes (x0, x2) and (x1, x3) of it, and the
//! outputs are x0·w0 + x1·w1 + x2·w2 and x1·w0 + x2·w1 + x3·w2. The outer two products are one
//! `SMLAD`. Outputs that step by two columns take the first sum only.

use core::arch::naked_asm;

/// What the function keeps on its stack (first seven) and in registers.
#[repr(C)]
pub struct Frame {
    /// The channel's bias.
    pub bias: i32,
    /// The channel's mantissa.
    pub mantissa: i32,
    /// The channel's offset in `finish::Folded`.
    pub offset: i32,
    /// Pairs of outputs in a row, which are neighbours in the plane.
    pub pairs: usize,
    /// Rows of outputs, not 0.
    pub rows: usize,
    /// Bytes of the plane from what a row of outputs has gone through to what the next begins with.
    pub skip: usize,
    /// Outputs after the pairs; two columns of the plane for each.
    pub singles: usize,
    /// (w0, w2) of each row.
    pub outer: [u32; 3],
    /// w1 of the first row and of the second.
    pub middle: u32,
    /// The shift in `finish::Folded`, and w1 of the last row in the high half.
    pub last: u32,
    /// Bytes from one row of the plane to the next.
    pub pitch: usize,
    /// Bytes from one output to the next.
    pub channels: usize,
    /// The first column.
    pub plane: *const i8,
    /// Where the first output goes.
    pub outputs: *mut i8,
}

/// One row for two outputs: the word at `$from`, w0 and w2 in `$outer`, w1 in half `$half` of
/// `$middle`.
#[rustfmt::skip]
macro_rules! pair_row {
    ($from:literal, $outer:literal, $middle:literal, $half:literal) => {
        concat!(
            "ldr r0, ", $from, "\n",
            "sxtb16 r1, r0, ror #8\n",
            "sxtb16 r0, r0\n",
            "smlad r11, r0, ", $outer, ", r11\n",
            "smlad r12, r1, ", $outer, ", r12\n",
            "smlab", $half, " r11, r1, ", $middle, ", r11\n",
            "smlat", $half, " r12, r0, ", $middle, ", r12\n",
        )
    };
}

/// As `pair_row` for the first of the two.
#[rustfmt::skip]
macro_rules! single_row {
    ($from:literal, $outer:literal, $middle:literal, $half:literal) => {
        concat!(
            "ldr r0, ", $from, "\n",
            "sxtb16 r1, r0, ror #8\n",
            "sxtb16 r0, r0\n",
            "smlad r11, r0, ", $outer, ", r11\n",
            "smlab", $half, " r11, r1, ", $middle, ", r11\n",
        )
    };
}

/// Writes all outputs of one channel.
///
/// r2 to r6 have the weights and the shift, r7 the pitch, r8 the channels; r9 goes through the
/// plane, r10 through the outputs; r11 and r12 have the sums, lr counts.
///
/// # Safety
/// The plane has four columns from each place where an output or pair begins, in three rows;
/// there is room for every output.
#[unsafe(naked)]
pub unsafe extern "C" fn convolve(frame: &Frame) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0!, {{r1-r7}}",
        "sub sp, #28",
        "stm sp, {{r1-r7}}",
        "ldm r0, {{r2-r10}}",
        "1:",
        "ldr lr, [sp, #12]",
        "cmp lr, #0",
        "beq 3f",
        "2:",
        "ldr r11, [sp]",
        "mov r12, r11",
        pair_row!("[r9, r7]", "r3", "r5", "t"),
        pair_row!("[r9, r7, lsl #1]", "r4", "r6", "t"),
        pair_row!("[r9], #2", "r2", "r5", "b"),
        "ldrd r0, r1, [sp, #4]",
        "smmla r11, r11, r0, r1",
        "smmla r12, r12, r0, r1",
        "asr r11, r11, r6",
        "asr r12, r12, r6",
        "ssat r11, #8, r11",
        "ssat r12, #8, r12",
        "strb r11, [r10]",
        "strb r12, [r10, r8]",
        "add r10, r10, r8, lsl #1",
        "subs lr, #1",
        "bne 2b",
        "3:",
        "ldr lr, [sp, #24]",
        "cmp lr, #0",
        "beq 5f",
        "4:",
        "ldr r11, [sp]",
        single_row!("[r9, r7]", "r3", "r5", "t"),
        single_row!("[r9, r7, lsl #1]", "r4", "r6", "t"),
        single_row!("[r9], #2", "r2", "r5", "b"),
        "ldrd r0, r1, [sp, #4]",
        "smmla r11, r11, r0, r1",
        "asr r11, r11, r6",
        "ssat r11, #8, r11",
        "strb r11, [r10]",
        "add r10, r8",
        "subs lr, #1",
        "bne 4b",
        "5:",
        "ldrd r0, r1, [sp, #16]",
        "add r9, r1",
        "subs r0, #1",
        "str r0, [sp, #16]",
        "bne 1b",
        "add sp, #28",
        "pop {{r4-r11, pc}}",
    )
}

/// Copies four neighbouring channels of `columns` pixels in each of `rows` rows, pixels `channels`
/// and rows `from_pitch` bytes apart, to four planes that lie `plane_len` bytes apart, with rows
/// `to_pitch` bytes apart: 16 bytes in 27 instructions.
///
/// r10 and r11 have three times the distances of pixels and planes, r12 counts; r4 to r7 have a word
/// of each pixel.
///
/// # Safety
/// Neither `columns` nor `rows` is 0; each pixel has four readable bytes, each plane room for a byte
/// of each.
#[unsafe(naked)]
#[allow(
    clippy::too_many_arguments,
    reason = "in registers and on the stack, as the caller has them"
)]
pub unsafe extern "C" fn split(
    from: *const i8,
    planes: *mut i8,
    channels: usize,
    plane_len: usize,
    columns: usize,
    rows: usize,
    from_pitch: usize,
    to_pitch: usize,
) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "add r10, r2, r2, lsl #1",
        "add r11, r3, r3, lsl #1",
        "1:",
        "push {{r0, r1}}",
        "ldr r12, [sp, #44]",
        "subs r12, #4",
        "blt 3f",
        "2:",
        "ldr r4, [r0]",
        "ldr r5, [r0, r2]",
        "ldr r6, [r0, r2, lsl #1]",
        "ldr r7, [r0, r10]",
        "add r0, r0, r2, lsl #2",
        // Bytes 0 and 2 of two pixels side by side, then bytes 1 and 3.
        "uxtb16 r8, r4",
        "uxtb16 r9, r5",
        "orr r8, r8, r9, lsl #8",
        "uxtb16 r4, r4, ror #8",
        "uxtb16 r5, r5, ror #8",
        "orr r4, r4, r5, lsl #8",
        "uxtb16 r9, r6",
        "uxtb16 lr, r7",
        "orr r9, r9, lr, lsl #8",
        "uxtb16 r6, r6, ror #8",
        "uxtb16 r7, r7, ror #8",
        "orr r6, r6, r7, lsl #8",
        "pkhbt r5, r8, r9, lsl #16",
        "pkhtb r7, r9, r8, asr #16",
        "pkhbt r8, r4, r6, lsl #16",
        "pkhtb r4, r6, r4, asr #16",
        "str r8, [r1, r3]",
        "str r7, [r1, r3, lsl #1]",
        "str r4, [r1, r11]",
        "str r5, [r1], #4",
        "subs r12, #4",
        "bge 2b",
        "3:",
        "adds r12, #4",
        "beq 5f",
        "4:",
        "ldr r4, [r0]",
        "add r0, r2",
        "lsr r5, r4, #8",
        "lsr r6, r4, #16",
        "lsr r7, r4, #24",
        "strb r5, [r1, r3]",
        "strb r6, [r1, r3, lsl #1]",
        "strb r7, [r1, r11]",
        "strb r4, [r1], #1",
        "subs r12, #1",
        "bne 4b",
        // The next row; the arguments on the stack are the callee's.
        "5:",
        "pop {{r0, r1}}",
        "ldr r6, [sp, #40]",
        "ldrd r4, r5, [sp, #44]",
        "add r0, r4",
        "add r1, r5",
        "subs r6, #1",
        "str r6, [sp, #40]",
        "bne 1b",
        "pop {{r4-r11, pc}}",
    )
}
