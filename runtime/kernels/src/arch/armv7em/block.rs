//! The inner loops of convolution: all output channels of four pixels, or of one.
//!
//! Whole functions in assembly, so that sums, pointers and widened inputs stay in all of the
//! fourteen registers: between its registers and its frame on the stack nothing is moved twice.
//! Both requantize as [`super::finish`] says, with the low word of the product where it matters.

use core::arch::naked_asm;

/// What the functions keep on their stack.
#[repr(C)]
pub struct Frame {
    /// Inputs as `dot::widen` lays them out.
    pub wide: *const u32,
    /// Whole words of taps.
    pub steps: usize,
    /// Of each channel.
    pub bias: *const i32,
    /// Of each channel.
    pub mantissas: *const i32,
    /// Of each channel.
    pub shifts: *const i8,
    /// Output channels, not 0.
    pub channels: usize,
    /// Zero point of the outputs.
    pub zero: i32,
    /// Where the first channel of the first pixel goes.
    pub outputs: *mut i8,
    /// Taps that the last word, of which not all are new, has in common with the one before it;
    /// 0 where there is no such word.
    pub back: usize,
    /// Taps of a channel.
    pub taps: usize,
}

/// Four taps of one channel for four pixels: 16 products in 13 instructions.
macro_rules! four_pixels_step {
    () => {
        "ldr r12, [r0], #4
        ldm r1!, {{r2-r5}}
        sxtb16 lr, r12
        sxtb16 r12, r12, ror #8
        smlad r8, lr, r2, r8
        smlad r9, lr, r3, r9
        smlad r10, lr, r4, r10
        smlad r11, lr, r5, r11
        ldm r1!, {{r2-r5}}
        smlad r8, r12, r2, r8
        smlad r9, r12, r3, r9
        smlad r10, r12, r4, r10
        smlad r11, r12, r5, r11
        "
    };
}

/// Half added and shifted right by r12, at most 32: a product of which the low word matters. r2 has
/// the mantissa, r4 the half, lr what r12 lacks to 32.
#[rustfmt::skip]
macro_rules! wide_product {
    ($sum:literal) => {
        concat!(
            "smull r1, ", $sum, ", ", $sum, ", r2\n",
            "adds r1, r1, r4\n",
            "adc ", $sum, ", ", $sum, ", #0\n",
            "lsr r1, r1, r12\n",
            "lsl ", $sum, ", ", $sum, ", lr\n",
            "orr ", $sum, ", ", $sum, ", r1\n",
        )
    };
}

/// Writes every channel of four pixels.
///
/// r0 goes through the weights, r1 through the inputs, r6 counts steps, r7 channels; r8 to r11
/// have the sums.
///
/// # Safety
/// `weights` has `taps` bytes for each channel, four at least; the frame is true of them, of as
/// many inputs of four pixels, and of four times `channels` outputs.
#[unsafe(naked)]
pub unsafe extern "C" fn four_pixels(frame: &Frame, weights: *const i8) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0!, {{r2-r6}}",
        "ldm r0, {{r7-r11}}",
        "sub sp, #44",
        "stm sp, {{r2-r11}}",
        "mov r0, r1",
        "movs r7, #0",
        // A channel: its bias, and the inputs from their start.
        "1:",
        "ldr r2, [sp, #8]",
        "ldr r8, [r2, r7, lsl #2]",
        "ldrd r1, r6, [sp]",
        "mov r9, r8",
        "mov r10, r8",
        "mov r11, r8",
        "subs r6, #4",
        "blt 3f",
        "2:",
        four_pixels_step!(),
        four_pixels_step!(),
        four_pixels_step!(),
        four_pixels_step!(),
        "subs r6, #4",
        "bge 2b",
        "3:",
        "adds r6, #4",
        "beq 5f",
        "4:",
        four_pixels_step!(),
        "subs r6, #1",
        "bne 4b",
        "5:",
        "ldr r2, [sp, #32]",
        "cbz r2, 6f",
        "subs r0, r0, r2",
        four_pixels_step!(),
        // Requantization: mantissa in r2, shift in r3, offset in r4.
        "6:",
        "ldrd r2, r3, [sp, #12]",
        "movs r5, #1",
        "ldr r6, [sp, #24]",
        "ldr r2, [r2, r7, lsl #2]",
        "ldrsb r3, [r3, r7]",
        "mvns r3, r3",
        "subs r4, r3, #1",
        "bmi 8f",
        "lsl r4, r5, r4",
        "smmla r8, r8, r2, r4",
        "smmla r9, r9, r2, r4",
        "smmla r10, r10, r2, r4",
        "smmla r11, r11, r2, r4",
        "ldr r1, [sp, #28]",
        "ldr r2, [sp, #20]",
        "asr r8, r8, r3",
        "asr r9, r9, r3",
        "asr r10, r10, r3",
        "asr r11, r11, r3",
        "7:",
        "add r8, r8, r6",
        "add r9, r9, r6",
        "add r10, r10, r6",
        "add r11, r11, r6",
        "ssat r8, #8, r8",
        "ssat r9, #8, r9",
        "ssat r10, #8, r10",
        "ssat r11, #8, r11",
        "adds r1, r1, r7",
        "strb r8, [r1]",
        "strb r9, [r1, r2]",
        "strb r10, [r1, r2, lsl #1]",
        "adds r1, r1, r2",
        "strb r11, [r1, r2, lsl #1]",
        "adds r7, #1",
        "cmp r7, r2",
        "bne 1b",
        "add sp, #44",
        "pop {{r4-r11, pc}}",
        // The shift is 32 or less in all: r12 to the right, or lr to the left in the high word.
        "8:",
        "add r12, r3, #32",
        "rsb lr, r3, #0",
        "sub r4, r12, #1",
        "lsl r4, r5, r4",
        wide_product!("r8"),
        wide_product!("r9"),
        wide_product!("r10"),
        wide_product!("r11"),
        "ldr r1, [sp, #28]",
        "ldr r2, [sp, #20]",
        "b 7b",
    )
}

/// Four taps of one pixel for the channel that `$weights` points to and `$sum` adds up.
#[rustfmt::skip]
macro_rules! one_channel_step {
    ($weights:literal, $sum:literal) => {
        concat!(
            "ldr r12, [", $weights, "], #4\n",
            "sxtb16 lr, r12\n",
            "sxtb16 r12, r12, ror #8\n",
            "smlad ", $sum, ", lr, r5, ", $sum, "\n",
            "smlad ", $sum, ", r12, r6, ", $sum, "\n",
        )
    };
}

/// Four taps of one pixel for four channels: 16 products in 21 instructions.
macro_rules! one_pixel_step {
    () => {
        concat!(
            "ldm r4!, {{r5, r6}}\n",
            one_channel_step!("r0", "r8"),
            one_channel_step!("r1", "r9"),
            one_channel_step!("r2", "r10"),
            one_channel_step!("r3", "r11"),
        )
    };
}

/// The output of one channel: mantissas from r5, shifts from r6, 1 in r4, the zero point in r7,
/// outputs from r2.
#[rustfmt::skip]
macro_rules! one_output {
    ($sum:literal) => {
        concat!(
            "ldr r12, [r5], #4\n",
            "ldrsb lr, [r6], #1\n",
            "mvn lr, lr\n",
            "subs r1, lr, #1\n",
            "bmi 8f\n",
            "lsl r1, r4, r1\n",
            "smmla ", $sum, ", ", $sum, ", r12, r1\n",
            "asr ", $sum, ", ", $sum, ", lr\n",
            "b 9f\n",
            // As in `wide_product`.
            "8: smull r0, ", $sum, ", ", $sum, ", r12\n",
            "add r12, lr, #32\n",
            "sub r1, r12, #1\n",
            "lsl r1, r4, r1\n",
            "adds r0, r0, r1\n",
            "adc ", $sum, ", ", $sum, ", #0\n",
            "rsb lr, lr, #0\n",
            "lsr r0, r0, r12\n",
            "lsl ", $sum, ", ", $sum, ", lr\n",
            "orr ", $sum, ", ", $sum, ", r0\n",
            "9:\n",
            "add ", $sum, ", ", $sum, ", r7\n",
            "ssat ", $sum, ", #8, ", $sum, "\n",
            "strb ", $sum, ", [r2], #1\n",
        )
    };
}

/// Writes every channel of one pixel.
///
/// r0 to r3 go through the weights of four channels, r4 through the inputs, r7 counts steps; r8
/// to r11 have the sums. Pointers to what each channel has advance in the frame.
///
/// # Safety
/// As [`four_pixels`] for one pixel; `channels` is a multiple of four.
#[unsafe(naked)]
pub unsafe extern "C" fn one_pixel(frame: &Frame, weights: *const i8) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0!, {{r2-r6}}",
        "ldm r0, {{r7-r11}}",
        "sub sp, #44",
        "stm sp, {{r2-r11}}",
        "mov r0, r1",
        "1:",
        "ldr r1, [sp, #36]",
        "ldr r4, [sp, #8]",
        "add r2, r0, r1, lsl #1",
        "add r3, r2, r1",
        "add r1, r0, r1",
        "ldm r4!, {{r8-r11}}",
        "str r4, [sp, #8]",
        "ldrd r4, r7, [sp]",
        "subs r7, #2",
        "blt 3f",
        "2:",
        one_pixel_step!(),
        one_pixel_step!(),
        "subs r7, #2",
        "bge 2b",
        "3:",
        "adds r7, #1",
        "bne 4f",
        one_pixel_step!(),
        "4:",
        "ldr r5, [sp, #32]",
        "cbz r5, 5f",
        "subs r0, r0, r5",
        "subs r1, r1, r5",
        "subs r2, r2, r5",
        "subs r3, r3, r5",
        one_pixel_step!(),
        "5:",
        "ldrd r5, r6, [sp, #12]",
        "ldrd r7, r2, [sp, #24]",
        "movs r4, #1",
        one_output!("r8"),
        one_output!("r9"),
        one_output!("r10"),
        one_output!("r11"),
        "strd r5, r6, [sp, #12]",
        "str r2, [sp, #28]",
        // The next four channels begin where the fourth one ends.
        "mov r0, r3",
        "ldr r1, [sp, #20]",
        "subs r1, #4",
        "str r1, [sp, #20]",
        "bne 1b",
        "add sp, #44",
        "pop {{r4-r11, pc}}",
    )
}
