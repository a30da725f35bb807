//! Flash for updates: two slots for packages and a record of which one counts.
//!
//! A board gives three parts of its NOR flash as an [`UpdateFlash`], each a [`FlashPart`]: the
//! `embedded-storage` traits that flash drivers have anyway, and the part's bytes, since plans are
//! used where they lie.

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};
use embedded_storage_async::nor_flash as asynchronous;

/// A part of NOR flash, of whole sectors.
///
/// Erasing sets every bit of a sector, writing clears bits. What is written to is erased, or all
/// its bits are cleared (a torn mark of the record is made whole so, which flash with error
/// correction allows, too). Either may be cut off by the loss of power at any byte.
pub trait FlashPart: NorFlash {
    /// The bytes as they are, at a multiple of 16 bytes in memory.
    fn bytes(&self) -> &[u8];
}

/// The parts of a board's flash that updates use.
#[derive(Debug)]
pub struct UpdateFlash<F> {
    /// Slots for one package each, of the same length.
    pub slots: [F; 2],
    /// Two sectors or more for the record of what is active.
    pub record: F,
}

/// A part as `sequential-storage` wants it.
pub(crate) struct Async<F>(pub F);

impl<F: FlashPart> asynchronous::ErrorType for Async<F> {
    type Error = NorFlashErrorKind;
}

impl<F: FlashPart> asynchronous::ReadNorFlash for Async<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(offset, bytes).map_err(kind)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: FlashPart> asynchronous::NorFlash for Async<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.erase(from, to).map_err(kind)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write(offset, bytes).map_err(kind)
    }
}

fn kind(error: impl NorFlashError) -> NorFlashErrorKind {
    error.kind()
}
