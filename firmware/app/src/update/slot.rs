//! The slot that is not in use: what it has of a package, and how a package comes into it.
//!
//! A transfer erases the whole place of its package before it writes the first byte, and writes in
//! order. So a slot that begins with a package's header holds nothing but that package's beginning,
//! and what power loss may have spoiled lies in the sector of the last byte that is not erased.

use crate::flash::FlashPart;
use embassy_futures::yield_now;
use microtome_link::update::UPDATE_PIECE_LEN;
use microtome_update::{Header, Package};

/// What an erased byte is.
const ERASED: u8 = 0xFF;

/// The flash failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlashFault;

/// Makes room for the package and returns how many of its bytes, from its begin on, are there
/// already.
pub(crate) async fn open<F: FlashPart>(part: &mut F, header: &Header) -> Result<usize, FlashFault> {
    const {
        assert!(
            F::ERASE_SIZE.is_multiple_of(UPDATE_PIECE_LEN),
            "pieces fill sectors"
        );
        assert!(
            UPDATE_PIECE_LEN.is_multiple_of(F::WRITE_SIZE),
            "pieces are whole units"
        );
    }
    let len = header.total_len();
    let begin = match last_written(part.bytes(), header) {
        // What power loss has spoiled in the last sector need not show.
        Some(last) if last + 1 == len && Package::parse(part.bytes()).is_ok() => return Ok(len),
        Some(last) => last - last % F::ERASE_SIZE,
        None => 0,
    };
    // Sectors behind one with a sound beginning are erased already.
    let end = if begin == 0 { len } else { begin + 1 };
    erase(part, begin, end).await?;
    Ok(begin)
}

/// Index of the last byte in the place of the package that is not erased; `None` where another
/// package, or none, begins there.
fn last_written(bytes: &[u8], header: &Header) -> Option<usize> {
    let found = Header::parse(bytes).ok()?;
    let place = bytes.get(..header.total_len())?;
    (found == *header).then(|| place.iter().rposition(|&byte| byte != ERASED))?
}

/// Erases the sectors from the one at `begin` to that of the byte before `end`.
async fn erase<F: FlashPart>(part: &mut F, begin: usize, end: usize) -> Result<(), FlashFault> {
    for at in (begin..end).step_by(F::ERASE_SIZE) {
        part.erase(at as u32, (at + F::ERASE_SIZE) as u32)
            .map_err(|_| FlashFault)?;
        // A sector takes long; the link is served between two.
        yield_now().await;
    }
    Ok(())
}

/// Makes whatever is in the slot no package.
pub(crate) async fn spoil<F: FlashPart>(part: &mut F) -> Result<(), FlashFault> {
    erase(part, 0, 1).await
}

/// Writes a piece of a package; units that it does not fill are filled up as erased.
pub(crate) fn write<F: FlashPart>(part: &mut F, at: usize, piece: &[u8]) -> Result<(), FlashFault> {
    let mut unit = [ERASED; UPDATE_PIECE_LEN];
    let len = piece.len().next_multiple_of(F::WRITE_SIZE);
    let bytes = unit.get_mut(..len).ok_or(FlashFault)?;
    bytes[..piece.len()].copy_from_slice(piece);
    part.write(at as u32, bytes).map_err(|_| FlashFault)
}
