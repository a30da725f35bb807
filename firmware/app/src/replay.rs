//! The replay store: frames in flash, used in place.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | magic `MTRP` |
//! | 4..8 | version, little-endian like every number |
//! | 8..12 | number of frames |
//! | 12..16 | bytes in a frame |
//! | 16.. | the frames: the plan's inputs one after another, in the arena's order |

const MAGIC: [u8; 4] = *b"MTRP";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 16;

/// Frames that were recorded before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replay<'a> {
    frames: &'a [u8],
    frame_len: usize,
}

/// Why bytes are no replay store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The magic number is not there: most likely the slot is empty.
    #[error("there is no replay store")]
    NoStore,
    /// Another version.
    #[error("replay store of version {found}, this build reads {VERSION}")]
    Version {
        /// The version of the store.
        found: u32,
    },
    /// The frames are not as long as a frame of the plan.
    #[error("frames of {found} bytes, the plan takes {expected}")]
    FrameLen {
        /// Bytes in a frame of the store.
        found: usize,
        /// Bytes in a frame of the plan.
        expected: usize,
    },
    /// Frames are missing.
    #[error("the replay store is truncated")]
    Truncated,
}

impl<'a> Replay<'a> {
    /// Reads the store at the beginning of `bytes`, for frames of `frame_len` bytes; what follows
    /// the store is not looked at, so that `bytes` may be a whole flash slot.
    ///
    /// # Errors
    /// When there is no such store.
    pub fn parse(bytes: &'a [u8], frame_len: usize) -> Result<Self, ReplayError> {
        let (header, frames) = bytes
            .split_first_chunk::<HEADER_LEN>()
            .filter(|(header, _)| header.starts_with(&MAGIC))
            .ok_or(ReplayError::NoStore)?;
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if word(4) != VERSION {
            return Err(ReplayError::Version { found: word(4) });
        }
        let (count, found) = (word(8) as usize, word(12) as usize);
        if found != frame_len || found == 0 {
            let expected = frame_len;
            return Err(ReplayError::FrameLen { found, expected });
        }
        let len = count.checked_mul(found).ok_or(ReplayError::Truncated)?;
        let frames = frames.get(..len).ok_or(ReplayError::Truncated)?;
        Ok(Self { frames, frame_len })
    }

    /// Number of frames.
    pub const fn len(&self) -> usize {
        match self.frames.len().checked_div(self.frame_len) {
            Some(len) => len,
            None => 0,
        }
    }

    /// Whether there is no frame.
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frame `index`.
    pub fn frame(&self, index: usize) -> Option<&'a [u8]> {
        let begin = index.checked_mul(self.frame_len)?;
        let end = begin.checked_add(self.frame_len)?;
        self.frames
            .get(begin..end)
            .filter(|frame| !frame.is_empty())
    }
}
