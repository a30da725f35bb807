//! NOR flash in a file: two slots and the record, one after another.
//!
//! The content is held in memory, where plans are used in place, and each operation is written
//! through to the file, byte after byte. A process that ends in the middle of one, as
//! `--cut-after` makes it, leaves the file as a loss of power leaves flash.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use microtome_app::flash::{FlashPart, UpdateFlash};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::rc::Rc;

const SECTOR_LEN: usize = 4096;
const SLOT_LEN: usize = 0x40_0000;
const RECORD_LEN: usize = 2 * SECTOR_LEN;
const ERASED: u8 = 0xFF;

/// Where the power fails.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// In which operation, from 0.
    pub operation: u64,
    /// Before which byte of it; the last one where it has fewer.
    pub byte: usize,
}

/// The file, and the operations on it.
struct Chip {
    file: File,
    cut: Option<Cut>,
    operations: Cell<u64>,
}

/// A part of the flash.
pub struct FilePart {
    chip: Rc<Chip>,
    bytes: &'static mut [u8],
    /// Where it begins in the file.
    begin: usize,
}

/// The flash in the file at `path`, which is made where it is not there; `memory` gives what holds
/// its content.
pub fn open(
    path: &Path,
    cut: Option<Cut>,
    memory: impl Fn(usize) -> &'static mut [u8],
) -> io::Result<UpdateFlash<FilePart>> {
    const LEN: usize = 2 * SLOT_LEN + RECORD_LEN;
    let content = memory(LEN);
    let mut options = File::options();
    options.read(true).write(true);
    let file = match options.open(path) {
        Ok(mut file) => {
            file.read_exact(content)?;
            file
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = options.create_new(true).open(path)?;
            content.fill(ERASED);
            file.write_all_at(content, 0)?;
            file
        }
        Err(error) => return Err(error),
    };
    let chip = Rc::new(Chip {
        file,
        cut,
        operations: Cell::new(0),
    });
    let mut begin = 0;
    let mut rest = content;
    let mut part = |len| {
        let (bytes, tail) = std::mem::take(&mut rest).split_at_mut(len);
        rest = tail;
        begin += len;
        FilePart {
            chip: chip.clone(),
            bytes,
            begin: begin - len,
        }
    };
    Ok(UpdateFlash {
        slots: [part(SLOT_LEN), part(SLOT_LEN)],
        record: part(RECORD_LEN),
    })
}

impl FilePart {
    /// Makes the bytes from `at` on `new`, or as many of them as the power lasts for.
    fn operate(&mut self, at: usize, new: &[u8]) -> Result<(), NorFlashErrorKind> {
        let number = self.chip.operations.get();
        self.chip.operations.set(number + 1);
        let cut = self.chip.cut.filter(|cut| cut.operation == number);
        let len = cut.map_or(new.len(), |cut| cut.byte.min(new.len() - 1));
        let written = self
            .chip
            .file
            .write_all_at(&new[..len], (self.begin + at) as u64);
        if cut.is_some() {
            std::process::abort();
        }
        self.bytes[at..at + len].copy_from_slice(new);
        written.map_err(|_| NorFlashErrorKind::Other)
    }
}

impl ErrorType for FilePart {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for FilePart {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for FilePart {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        for at in (from as usize..to as usize).step_by(SECTOR_LEN) {
            self.operate(at, &[ERASED; SECTOR_LEN])?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let at = offset as usize;
        let place = &self.bytes[at..at + bytes.len()];
        if place.iter().zip(bytes).any(|(old, new)| new & !old != 0) {
            // Only erasing sets bits.
            return Err(NorFlashErrorKind::Other);
        }
        self.operate(at, bytes)
    }
}

impl FlashPart for FilePart {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }
}
