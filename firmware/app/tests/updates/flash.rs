//! NOR flash in memory, and a power supply that fails where it is told to.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_write,
};
use microtome_app::flash::{FlashPart, UpdateFlash};
use std::cell::{Cell, RefCell};

pub const SECTOR: usize = 1024;
/// Smallest unit that is written.
pub const UNIT: usize = 4;
const SLOT_LEN: usize = 4 * SECTOR;
const RECORD_LEN: usize = 2 * SECTOR;
/// The record, as one of the three parts.
pub const RECORD: usize = 2;

/// The flash of a board: its content outlives the board.
#[derive(Clone)]
pub struct Nor {
    parts: [Vec<u128>; 3],
}

/// Which operation on the flash the power fails in, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub operation: usize,
    /// The last one where it has fewer.
    pub byte: usize,
}

/// An operation on the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    pub part: usize,
    pub bytes: usize,
}

/// The board's power.
#[derive(Default)]
pub struct Power {
    cut: Cell<Option<Cut>>,
    is_off: Cell<bool>,
    operations: RefCell<Vec<Operation>>,
}

/// A part of the flash, as the board has it.
pub struct Part<'f> {
    bytes: &'f mut [u8],
    number: usize,
    power: &'f Power,
}

impl Nor {
    pub fn erased() -> Self {
        let part = |len: usize| vec![u128::MAX; len / 16];
        Self {
            parts: [part(SLOT_LEN), part(SLOT_LEN), part(RECORD_LEN)],
        }
    }

    pub fn part(&mut self, number: usize) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.parts[number])
    }

    /// Leaves the record less room than it takes.
    pub fn lose_record(&mut self) {
        self.parts[RECORD].truncate(SECTOR / 16);
    }

    pub fn parts<'f>(&'f mut self, power: &'f Power) -> UpdateFlash<Part<'f>> {
        let mut number = 0;
        let [a, b, record] = self.parts.each_mut().map(|words| {
            number += 1;
            Part {
                bytes: bytemuck::cast_slice_mut(words),
                number: number - 1,
                power,
            }
        });
        UpdateFlash {
            slots: [a, b],
            record,
        }
    }
}

impl Power {
    pub fn failing_at(cut: Cut) -> Self {
        Self {
            cut: Cell::new(Some(cut)),
            ..Self::default()
        }
    }

    pub fn is_off(&self) -> bool {
        self.is_off.get()
    }

    /// What has been done to the flash.
    pub fn operations(&self) -> Vec<Operation> {
        self.operations.borrow().clone()
    }

    /// Does the operation `act` on each byte, as far as the power lasts. In the byte in which it
    /// fails, some bits have changed and some have not.
    fn operate(&self, part: usize, bytes: &mut [u8], act: impl Fn(usize) -> u8) -> Result<(), ()> {
        if self.is_off() {
            return Err(());
        }
        let number = self.operations.borrow().len();
        let bytes_len = bytes.len();
        self.operations.borrow_mut().push(Operation {
            part,
            bytes: bytes_len,
        });
        let cut = self.cut.get().filter(|cut| cut.operation == number);
        for (at, byte) in bytes.iter_mut().enumerate() {
            let done = act(at);
            if cut.is_some_and(|cut| cut.byte.min(bytes_len - 1) == at) {
                *byte = (*byte & 0x5A) | (done & 0xA5);
                self.is_off.set(true);
                return Err(());
            }
            *byte = done;
        }
        Ok(())
    }
}

impl ErrorType for Part<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Part<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let at = offset as usize;
        let found = self.bytes.get(at..at + bytes.len());
        bytes.copy_from_slice(found.ok_or(NorFlashErrorKind::OutOfBounds)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Part<'_> {
    const WRITE_SIZE: usize = UNIT;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let sectors = &mut self.bytes[from as usize..to as usize];
        (self.power.operate(self.number, sectors, |_| 0xFF)).map_err(|()| NorFlashErrorKind::Other)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        if self.power.is_off() {
            return Err(NorFlashErrorKind::Other);
        }
        let place = &mut self.bytes[offset as usize..][..bytes.len()];
        assert!(
            place.iter().all(|&byte| byte == 0xFF) || bytes.iter().all(|&byte| byte == 0),
            "{bytes:?} is written over {place:?}"
        );
        (self.power.operate(self.number, place, |at| bytes[at]))
            .map_err(|()| NorFlashErrorKind::Other)
    }
}

impl FlashPart for Part<'_> {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }
}
