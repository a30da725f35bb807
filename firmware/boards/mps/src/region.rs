//! Memory at a fixed address that no linker script hands out.

/// A part of memory.
#[derive(Clone, Copy)]
pub struct Region {
    address: usize,
    len: usize,
}

impl Region {
    /// The `len` bytes from `address` on.
    ///
    /// # Safety
    /// The memory must be there, always; the program and its stack lie elsewhere.
    pub const unsafe fn at(address: usize, len: usize) -> Self {
        Self { address, len }
    }

    /// Its bytes.
    ///
    /// # Safety
    /// Nothing writes there while the program runs.
    pub(crate) unsafe fn bytes(self) -> &'static [u8] {
        // SAFETY: whoever made this vouches for the memory, the caller for its rest.
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.len) }
    }

    /// Its bytes, to be written.
    ///
    /// # Safety
    /// The region is taken once, and overlaps no other that is used.
    pub(crate) unsafe fn take(self) -> &'static mut [u8] {
        // SAFETY: as in `bytes`; the caller vouches that these are the only references.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut u8, self.len) }
    }
}
