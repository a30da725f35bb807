//! One 32-bit register of a peripheral.

/// A register at a fixed address.
#[derive(Clone, Copy)]
pub struct Register(*mut u32);

// SAFETY: it is an address. The registers behind it are read and written as a whole.
unsafe impl Sync for Register {}

impl Register {
    /// The register at `address`.
    ///
    /// # Safety
    /// A register that may be read and written at any time must be there, always.
    pub const unsafe fn at(address: usize) -> Self {
        Self(address as *mut u32)
    }

    /// What it holds.
    pub fn read(self) -> u32 {
        // SAFETY: whoever made this vouches for the address.
        unsafe { self.0.read_volatile() }
    }

    /// Makes it hold `value`.
    pub fn write(self, value: u32) {
        // SAFETY: as in `read`.
        unsafe { self.0.write_volatile(value) }
    }
}
