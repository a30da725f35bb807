//! RAM that behaves as NOR flash: two slots for updates and their record.
//!
//! The emulator can back the RAM by a file, and then it outlives the machine as flash does. Without
//! a file it begins as zeros, which flash never does; its record is then erased once.

use crate::MACHINE;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use microtome_app::flash::{FlashPart, UpdateFlash};

const SECTOR_LEN: usize = 4096;
const SLOT_LEN: usize = 0x40_0000;
const RECORD_LEN: usize = 2 * SECTOR_LEN;
const ERASED: u8 = 0xFF;

/// A part of the flash.
pub(crate) struct Part(&'static mut [u8]);

/// The machine's flash.
///
/// # Safety
/// This is called once, and the machine's regions do not overlap.
pub(crate) unsafe fn open() -> UpdateFlash<Part> {
    // SAFETY: the caller vouches for it.
    let bytes = unsafe { MACHINE.updates.take() };
    let (a, rest) = bytes.split_at_mut(SLOT_LEN);
    let (b, rest) = rest.split_at_mut(SLOT_LEN);
    let mut record = Part(&mut rest[..RECORD_LEN]);
    if record.0.iter().all(|&byte| byte == 0) {
        record.fill(0, RECORD_LEN);
    }
    UpdateFlash {
        slots: [Part(a), Part(b)],
        record,
    }
}

impl Part {
    fn fill(&mut self, from: usize, to: usize) {
        self.0[from..to]
            .iter_mut()
            .for_each(|byte| put(byte, ERASED));
    }
}

/// Changes a byte, here and now: what comes first in the program comes first in the file.
fn put(byte: &mut u8, value: u8) {
    // SAFETY: it is a reference.
    unsafe { core::ptr::from_mut(byte).write_volatile(value) }
}

impl ErrorType for Part {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Part {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Part {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        self.fill(from as usize, to as usize);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let place = &mut self.0[offset as usize..][..bytes.len()];
        if place.iter().zip(bytes).any(|(old, new)| new & !old != 0) {
            // Only erasing sets bits.
            return Err(NorFlashErrorKind::Other);
        }
        let pairs = place.iter_mut().zip(bytes);
        pairs.for_each(|(byte, &value)| put(byte, value));
        Ok(())
    }
}

impl FlashPart for Part {
    fn bytes(&self) -> &[u8] {
        self.0
    }
}
