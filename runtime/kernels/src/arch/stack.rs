//! Room on the stack that costs nothing to make, for scratch.

use core::arch::asm;
use core::mem::MaybeUninit;

/// `WORDS` words of any content.
pub struct Stack<const WORDS: usize>(MaybeUninit<[u32; WORDS]>);

impl<const WORDS: usize> Stack<WORDS> {
    /// The room.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// The larger one of this room and `scratch`, which lies at a multiple of 4 bytes.
    #[inline(always)]
    pub fn or<'a>(&'a mut self, scratch: &'a mut [u8]) -> &'a mut [u32] {
        if scratch.len() > size_of_val(&self.0) {
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

impl<const WORDS: usize> Default for Stack<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}
