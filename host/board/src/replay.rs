//! The replay store: frames that a board's replay sensor shows one after another.
//!
//! `MTRP`, then three little-endian `u32` (version 1, number of frames, bytes in a frame), then
//! the frames, each the plan's first input in the arena's order. The board reads it in place.

const MAGIC: [u8; 4] = *b"MTRP";
const VERSION: u32 = 1;
/// Bytes before the first frame.
pub const HEADER_LEN: usize = 16;

/// Frames that make no replay store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The frames are not all of one length.
    #[error("frame {frame} of the replay has {found} bytes, the first has {expected}")]
    FrameLen {
        /// Index of the frame.
        frame: usize,
        /// Bytes of the first.
        expected: usize,
        /// Its bytes.
        found: usize,
    },
    /// There are more frames or bytes than its numbers can say.
    #[error("the replay is larger than 4 GiB")]
    TooLarge,
}

/// The replay store of `frames`, all of one length.
///
/// # Errors
/// [`ReplayError`] when the lengths differ or are too large.
pub fn encode<F: AsRef<[u8]>>(frames: &[F]) -> Result<Vec<u8>, ReplayError> {
    let frame_len = frames.first().map_or(0, |frame| frame.as_ref().len());
    let word = |number: usize| u32::try_from(number).map_err(|_| ReplayError::TooLarge);
    let mut store = Vec::from(MAGIC);
    for number in [VERSION, word(frames.len())?, word(frame_len)?] {
        store.extend_from_slice(&number.to_le_bytes());
    }
    for (index, frame) in frames.iter().enumerate() {
        let frame = frame.as_ref();
        if frame.len() != frame_len {
            let (expected, found) = (frame_len, frame.len());
            return Err(ReplayError::FrameLen {
                frame: index,
                expected,
                found,
            });
        }
        store.extend(frame.iter());
    }
    word(store.len())?;
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::{ReplayError, encode};

    #[test]
    fn frames_follow_the_header() {
        let store = encode(&[vec![1, 255], vec![2, 128]]).unwrap();
        assert_eq!(store[..8], *b"MTRP\x01\0\0\0");
        assert_eq!(store[8..], [2, 0, 0, 0, 2, 0, 0, 0, 1, 255, 2, 128]);
    }

    #[test]
    fn frames_of_two_lengths_are_refused() {
        let refused = ReplayError::FrameLen {
            frame: 1,
            expected: 2,
            found: 1,
        };
        assert_eq!(encode(&[vec![1, 2], vec![3]]), Err(refused));
    }
}
