//! Addition, four elements at a time: every factor is one multiplication for its high word.
//!
//! An operand is shifted left by two bits more than the definition has it, so that its product's
//! high word has all of its result. Factors above one, and operands that are repeated, are left to
//! [`generic`].

use crate::generic;
use crate::num::Multiplier;
use crate::reference::add::{Add, LEFT_SHIFT};
use core::arch::naked_asm;

/// As [`crate::reference::add::add`].
pub fn add(params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    let Some(sum) = Sum::of(params) else {
        return (generic::SET.add)(params, a, b, output);
    };
    assert!(a.len() == output.len() && b.len() == output.len() && !output.is_empty());
    // SAFETY: all three are of one length.
    unsafe {
        add_vectors(
            &sum,
            a.as_ptr(),
            b.as_ptr(),
            output.as_mut_ptr(),
            output.len(),
        )
    };
}

/// As [`crate::reference::add::add_in_place`].
pub fn add_in_place(params: &Add, a: &mut [i8], b: &[i8]) {
    let Some(sum) = Sum::of(params) else {
        return (generic::SET.add_in_place)(params, a, b);
    };
    assert!(a.len() == b.len() && !a.is_empty());
    let place = a.as_mut_ptr();
    // SAFETY: both are of one length; each vector is read before it is written.
    unsafe { add_vectors(&sum, place, b.as_ptr(), place, a.len()) };
}

/// Bits by which operands are shifted left.
const SHIFT: u32 = LEFT_SHIFT + 2;

/// What [`add_vectors`] reads: of both operands the shifted zero points, negative, mantissas and
/// shifts to the right, negative; then the sum's.
#[repr(C)]
struct Sum {
    zeros: [i32; 2],
    mantissas: [i32; 2],
    shifts: [i32; 2],
    mantissa: i32,
    shift: i32,
    zero: i32,
    min: i32,
    max: i32,
}

impl Sum {
    fn of(params: &Add) -> Option<Self> {
        let is_ours = |factor: &Multiplier| factor.shift <= 0;
        let ours = params.factors.iter().all(is_ours) && params.factor.shift < -1;
        if params.subtract || !params.broadcast.is_flat() || !ours {
            return None;
        }
        Some(Self {
            zeros: params.zeros.map(|zero| -(i32::from(zero) << SHIFT)),
            mantissas: params.factors.map(|factor| factor.mantissa),
            shifts: params.factors.map(|factor| i32::from(factor.shift) - 1),
            mantissa: params.factor.mantissa,
            shift: i32::from(params.factor.shift) + 1,
            zero: params.store.zero.into(),
            min: params.store.min.into(),
            max: params.store.max.into(),
        })
    }
}

/// Adds `len` elements.
///
/// # Safety
/// `len` elements, not 0, at all three addresses.
#[unsafe(naked)]
unsafe extern "C" fn add_vectors(sum: &Sum, a: *const i8, b: *const i8, to: *mut i8, len: usize) {
    naked_asm!(
        ".cpu cortex-m55",
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "ldr r12, [sp, #100]",
        "ldm r0!, {{r4-r9}}",
        "vdup.32 q2, r6",
        "vdup.32 q3, r7",
        "ldm r0, {{r6, r7, r10, r11, lr}}",
        "vdup.32 q4, r6",
        "vdup.32 q5, r11",
        "vdup.32 q6, lr",
        "dlstp.32 lr, r12",
        "2:",
        "vldrb.s32 q0, [r1], #4",
        "vldrb.s32 q1, [r2], #4",
        "vshl.i32 q0, q0, #22",
        "vshl.i32 q1, q1, #22",
        "vadd.i32 q0, q0, r4",
        "vadd.i32 q1, q1, r5",
        "vmulh.s32 q0, q0, q2",
        "vmulh.s32 q1, q1, q3",
        "vrshl.s32 q0, r8",
        "vrshl.s32 q1, r9",
        "vadd.i32 q0, q0, q1",
        "vmulh.s32 q0, q0, q4",
        "vrshl.s32 q0, r7",
        "vadd.i32 q0, q0, r10",
        "vmax.s32 q0, q0, q5",
        "vmin.s32 q0, q0, q6",
        "vstrb.32 q0, [r3], #4",
        "letp lr, 2b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}
