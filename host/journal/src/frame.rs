//! Frames that are kept with their results: how they are stored, and how many may wait in memory.
//!
//! A frame is stored as a DEFLATE stream in the commit that records its result, which names the
//! SHA-256 of the frame itself. Frames that wait for the journal share a [`Budget`]: a disk that is
//! full can not fill the memory too. Which frames are kept is left to the daemon.

use crate::hash::Hash;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all frames on their way into a journal take together at most, as they are stored.
pub const WAITING_BYTES_MAX: usize = 256 << 20;
/// Bytes of one frame at most; boards' frames are far shorter.
const FRAME_BYTES_MAX: u64 = 64 << 20;

/// A frame as its record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFrame {
    /// Hash of its bytes: the inputs of the board's plan, one after another.
    pub sha256: Hash,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A frame on its way into the journal.
#[derive(Debug)]
pub struct Frame {
    /// What its record names it by.
    pub kept: KeptFrame,
    /// What is stored.
    pub(crate) stored: Vec<u8>,
    /// Gives the room back.
    _room: Room,
}

/// The room that frames on their way into one journal share.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// Packs a frame; `None` where there is no room for it at present,
    /// or ever.
    pub fn pack(&self, frame: &[u8]) -> Option<Frame> {
        let kept = KeptFrame {
            sha256: Hash::of(frame),
            bytes: frame.len() as u64,
        };
        if kept.bytes > FRAME_BYTES_MAX {
            return None;
        }
        let stored = deflate(frame)?;
        let room = self.take(stored.len())?;
        Some(Frame {
            kept,
            stored,
            _room: room,
        })
    }

    fn take(&self, bytes: usize) -> Option<Room> {
        let more = |used: usize| {
            used.checked_add(bytes)
                .filter(|&sum| sum <= WAITING_BYTES_MAX)
        };
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        self.0.fetch_update(set, fetch, more).ok()?;
        Some(Room {
            budget: self.clone(),
            bytes,
        })
    }
}

/// A part of the budget, for as long as it lives.
#[derive(Debug)]
struct Room {
    budget: Budget,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Frames are noisy: more effort than the least gains nothing on them.
fn deflate(frame: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(frame).ok()?;
    let mut stored = encoder.finish().ok()?;
    stored.shrink_to_fit();
    Some(stored)
}

/// The frame that was stored so; `None` where it is not one of `kept.bytes` bytes.
pub(crate) fn unpack(stored: &[u8], kept: &KeptFrame) -> Option<Vec<u8>> {
    let mut frame = Vec::new();
    // One byte more, to see that there is none.
    let mut decoder = DeflateDecoder::new(stored).take(kept.bytes.min(FRAME_BYTES_MAX) + 1);
    decoder.read_to_end(&mut frame).ok()?;
    (frame.len() as u64 == kept.bytes).then_some(frame)
}

#[cfg(test)]
mod tests {
    use super::{Budget, KeptFrame, WAITING_BYTES_MAX, unpack};
    use crate::hash::Hash;

    /// What no compressor makes shorter.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn a_frame_survives_the_way_there_and_back() {
        for frame in [Vec::new(), vec![7; 100_000], noise(100_000)] {
            let packed = Budget::default().pack(&frame).unwrap();
            assert_eq!(packed.kept.sha256, Hash::of(&frame));
            assert_eq!(unpack(&packed.stored, &packed.kept), Some(frame));
        }
    }

    #[test]
    fn what_is_not_the_frame_that_was_kept_is_not_unpacked() {
        let packed = Budget::default().pack(&[7; 1000]).unwrap();
        for bytes in [0, 999, 1001, u64::MAX] {
            let other = KeptFrame {
                bytes,
                ..packed.kept
            };
            assert_eq!(unpack(&packed.stored, &other), None, "{bytes}");
        }
        assert_eq!(unpack(&packed.stored[..5], &packed.kept), None);
        assert_eq!(unpack(&[0xff; 64], &packed.kept), None);
    }

    #[test]
    fn frames_that_wait_have_so_much_room_and_no_more() {
        let budget = Budget::default();
        let frame = noise(16 << 20);
        let waiting: Vec<_> = std::iter::from_fn(|| budget.pack(&frame)).collect();
        let used: usize = waiting.iter().map(|frame| frame.stored.len()).sum();
        assert!(used <= WAITING_BYTES_MAX && used > WAITING_BYTES_MAX - (17 << 20));
        assert!(budget.pack(&[1, 2, 3]).is_some());
        drop(waiting);
        assert!(budget.pack(&frame).is_some());
    }
}
