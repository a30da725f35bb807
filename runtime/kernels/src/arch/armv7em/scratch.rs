//! Scratch on the stack, for what is small, and from the arena, for what is not.

use crate::arch::scratch::STACK_BYTES;
use core::arch::asm;
use core::mem::MaybeUninit;

const STACK_WORDS: usize = STACK_BYTES / size_of::<u32>();

/// Room on the stack, which costs nothing to make.
pub struct Stack(MaybeUninit<[u32; STACK_WORDS]>);

impl Stack {
    /// Room of any content.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// The larger one of this room and `scratch`, which lies at a multiple of 4 bytes.
    #[inline(always)]
    pub fn or<'a>(&'a mut self, scratch: &'a mut [u8]) -> &'a mut [u32] {
        if scratch.len() > STACK_BYTES {
            let words = scratch.len() / size_of::<u32>() * size_of::<u32>();
            return bytemuck::cast_slice_mut(&mut scratch[..words]);
        }
        // SAFETY: the assembly is handed the address and may write there: for all that the
        // compiler knows the words have values from here on, and any value is a valid one.
        unsafe {
            asm!("/* {0} */", in(reg) self.0.as_mut_ptr(), options(nostack, preserves_flags));
            self.0.assume_init_mut()
        }
    }
}
