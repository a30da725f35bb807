//! The inner loops of convolution: all output channels of four pixels, and of one.
//!
//! Whole functions in assembly, so that sums, pointers and widened inputs stay in all of the
//! fourteen registers: between its registers and its frame on the stack nothing is moved twice.
//! Both requantize as [`super::finish`] says, with the low word of the product where it matters.

use super::finish::Channel;
use core::arch::naked_asm;

/// What [`four_pixels`] keeps on its stack.
#[repr(C)]
pub struct Pixels {
    /// Inputs as `dot::widen` lays them out.
    pub wide: *const u32,
    /// Groups of four taps, not 0.
    pub groups: usize,
    /// One entry a channel.
    pub table: *const Channel,
    /// Where the first channel of the first pixel goes.
    pub outputs: *mut i8,
    /// Output channels, not 0.
    pub channels: usize,
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
/// the mantissa, r4 the half, lr what r12 lacks to 32; the zero point in r6 is added.
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
            "add ", $sum, ", ", $sum, ", r6\n",
        )
    };
}

/// The high word plus the half in r4, shifted right by r3; the zero point in r6 is added.
#[rustfmt::skip]
macro_rules! far_product {
    ($sum:literal) => {
        concat!(
            "smmla ", $sum, ", ", $sum, ", r2, r4\n",
            "asr ", $sum, ", ", $sum, ", r3\n",
            "add ", $sum, ", ", $sum, ", r6\n",
        )
    };
}

/// Writes every channel of four pixels.
///
/// r0 goes through the weights, r1 through the inputs, r6 counts groups, r7 channels; r8 to r11
/// have the sums.
///
/// # Safety
/// `weights` has four times `groups` bytes for each channel; the frame is true of them, of as many
/// inputs of four pixels, and of four times `channels` outputs.
#[unsafe(naked)]
pub unsafe extern "C" fn four_pixels(frame: &Pixels, weights: *const i8) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0, {{r2-r6}}",
        "sub sp, #20",
        "stm sp, {{r2-r6}}",
        "mov r0, r1",
        "mov r7, r6",
        // A channel: its bias, and the inputs from their start.
        "1:",
        "ldr r2, [sp, #8]",
        "ldr r8, [r2], #4",
        "str r2, [sp, #8]",
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
        // Requantization: mantissa in r2, shift in r3, offset in r4.
        "5:",
        "ldr r5, [sp, #8]",
        "ldm r5!, {{r2-r4}}",
        "str r5, [sp, #8]",
        "cmp r3, #0",
        "ble 7f",
        "smmla r8, r8, r2, r4",
        "smmla r9, r9, r2, r4",
        "smmla r10, r10, r2, r4",
        "smmla r11, r11, r2, r4",
        "asr r8, r8, r3",
        "asr r9, r9, r3",
        "asr r10, r10, r3",
        "asr r11, r11, r3",
        "6:",
        "ldrd r1, r2, [sp, #12]",
        "ssat r8, #8, r8",
        "ssat r9, #8, r9",
        "ssat r10, #8, r10",
        "ssat r11, #8, r11",
        "add r3, r1, r2",
        "strb r9, [r1, r2]",
        "strb r10, [r1, r2, lsl #1]",
        "strb r11, [r3, r2, lsl #1]",
        "strb r8, [r1], #1",
        "str r1, [sp, #12]",
        "subs r7, #1",
        "bne 1b",
        "add sp, #20",
        "pop {{r4-r11, pc}}",
        // The zero point is apart. The shift is 32 or less in all: r12 to the right, or lr to the
        // left in the high word.
        "7:",
        "mov r6, r4",
        "movs r5, #1",
        "cmp r3, #-32",
        "blt 8f",
        "add r12, r3, #32",
        "rsb lr, r3, #0",
        "sub r4, r12, #1",
        "lsl r4, r5, r4",
        wide_product!("r8"),
        wide_product!("r9"),
        wide_product!("r10"),
        wide_product!("r11"),
        "b 6b",
        // The shift is that of the high word, and too large for the zero point to go with the half.
        "8:",
        "adds r3, #64",
        "subs r1, r3, #1",
        "lsl r4, r5, r1",
        far_product!("r8"),
        far_product!("r9"),
        far_product!("r10"),
        far_product!("r11"),
        "b 6b",
    )
}

/// What [`four_channels`] keeps on its stack.
#[repr(C)]
pub struct Channels {
    /// Inputs of the one pixel as `dot::widen` lays them out.
    pub wide: *const u32,
    /// Groups of four taps, not 0.
    pub groups: usize,
    /// Of each channel.
    pub bias: *const i32,
    /// Of each channel.
    pub mantissas: *const i32,
    /// Of each channel.
    pub shifts: *const i8,
    /// Output channels, a multiple of four and not 0.
    pub channels: usize,
    /// Zero point of the outputs.
    pub zero: i32,
    /// Where the first channel goes.
    pub outputs: *mut i8,
}

/// Four taps of the channel in `$weights` for one pixel, added to `$sum`.
#[rustfmt::skip]
macro_rules! one_channel_step {
    ($weights:literal, $sum:literal) => {
        concat!(
            "sxtb16 lr, ", $weights, "\n",
            "sxtb16 ", $weights, ", ", $weights, ", ror #8\n",
            "smlad ", $sum, ", lr, r5, ", $sum, "\n",
            "smlad ", $sum, ", ", $weights, ", r6, ", $sum, "\n",
        )
    };
}

/// Four taps of one pixel for four channels: 16 products in 18 instructions.
macro_rules! four_channels_step {
    () => {
        concat!(
            "ldm r0!, {{r1-r3, r12}}\n",
            "ldm r4!, {{r5, r6}}\n",
            one_channel_step!("r1", "r8"),
            one_channel_step!("r2", "r9"),
            one_channel_step!("r3", "r10"),
            one_channel_step!("r12", "r11"),
        )
    };
}

/// The output of one channel, or a jump to `$wide`: mantissas from r5, shifts from r6, 1 in r4, the
/// zero point in r7, outputs from r2.
#[rustfmt::skip]
macro_rules! one_output {
    ($sum:literal, $wide:literal, $done:literal) => {
        concat!(
            "ldr r12, [r5], #4\n",
            "ldrsb lr, [r6], #1\n",
            "mvn lr, lr\n",
            "subs r1, lr, #1\n",
            "bmi ", $wide, "f\n",
            "lsl r1, r4, r1\n",
            "smmla ", $sum, ", ", $sum, ", r12, r1\n",
            "asr ", $sum, ", ", $sum, ", lr\n",
            $done, ":\n",
            "add ", $sum, ", ", $sum, ", r7\n",
            "ssat ", $sum, ", #8, ", $sum, "\n",
            "strb ", $sum, ", [r2], #1\n",
        )
    };
}

/// What `one_output` leaves: the scaled sum where the low word of the product matters, as in
/// `wide_product`.
#[rustfmt::skip]
macro_rules! one_wide {
    ($sum:literal, $wide:literal, $done:literal) => {
        concat!(
            $wide, ": smull r3, ", $sum, ", ", $sum, ", r12\n",
            "add r12, lr, #32\n",
            "sub r1, r12, #1\n",
            "lsl r1, r4, r1\n",
            "adds r3, r3, r1\n",
            "adc ", $sum, ", ", $sum, ", #0\n",
            "rsb lr, lr, #0\n",
            "lsr r3, r3, r12\n",
            "lsl ", $sum, ", ", $sum, ", lr\n",
            "orr ", $sum, ", ", $sum, ", r3\n",
            "b ", $done, "b\n",
        )
    };
}

/// Writes every channel of one pixel, from weights in blocks of four channels, four taps each.
///
/// r0 goes through the weights, r4 through the inputs, r7 counts groups; r8 to r11 have the sums.
/// Pointers to what each channel has advance in the frame.
///
/// # Safety
/// `weights` has four times `groups` bytes for each channel; the frame is true of them, of as many
/// inputs, and of `channels` outputs.
#[unsafe(naked)]
pub unsafe extern "C" fn four_channels(frame: &Channels, weights: *const i8) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "ldm r0, {{r2-r9}}",
        "sub sp, #36",
        "stm sp, {{r2-r9}}",
        "mov r0, r1",
        "1:",
        "ldr r4, [sp, #8]",
        "ldm r4!, {{r8-r11}}",
        "str r4, [sp, #8]",
        "ldrd r4, r7, [sp]",
        "subs r7, #4",
        "blt 3f",
        "2:",
        four_channels_step!(),
        four_channels_step!(),
        four_channels_step!(),
        four_channels_step!(),
        "subs r7, #4",
        "bge 2b",
        "3:",
        "adds r7, #4",
        "beq 5f",
        "4:",
        four_channels_step!(),
        "subs r7, #1",
        "bne 4b",
        "5:",
        "ldrd r5, r6, [sp, #12]",
        "ldrd r7, r2, [sp, #24]",
        "movs r4, #1",
        one_output!("r8", "61", "71"),
        one_output!("r9", "62", "72"),
        one_output!("r10", "63", "73"),
        one_output!("r11", "64", "74"),
        "strd r5, r6, [sp, #12]",
        "str r2, [sp, #28]",
        "ldr r1, [sp, #20]",
        "subs r1, #4",
        "str r1, [sp, #20]",
        "bne 1b",
        "add sp, #36",
        "pop {{r4-r11, pc}}",
        one_wide!("r8", "61", "71"),
        one_wide!("r9", "62", "72"),
        one_wide!("r10", "63", "73"),
        one_wide!("r11", "64", "74"),
    )
}
