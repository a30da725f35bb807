//! The replay store, whose every byte is hostile.

use microtome_app::replay::{Replay, ReplayError};

fn store(version: u32, count: u32, frame_len: u32, frames: &[u8]) -> Vec<u8> {
    let mut bytes = b"MTRP".to_vec();
    for word in [version, count, frame_len] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(frames);
    bytes
}

#[test]
fn frames_are_found_in_place() {
    let bytes = store(1, 2, 3, b"abcdef and the rest of the slot");
    let replay = Replay::parse(&bytes, 3).unwrap();
    assert_eq!(replay.len(), 2);
    assert_eq!(replay.frame(0), Some(&b"abc"[..]));
    assert_eq!(replay.frame(1), Some(&b"def"[..]));
    assert_eq!(replay.frame(2), None);
    assert_eq!(replay.frame(usize::MAX), None);
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (vec![0xFF; 64], ReplayError::NoStore),
        (b"MTRP".to_vec(), ReplayError::NoStore),
        (store(2, 1, 3, b"abc"), ReplayError::Version { found: 2 }),
        (
            store(1, 1, 4, b"abcd"),
            ReplayError::FrameLen {
                found: 4,
                expected: 3,
            },
        ),
        (store(1, 2, 3, b"abcde"), ReplayError::Truncated),
        (store(1, u32::MAX, 3, b"abcde"), ReplayError::Truncated),
    ];
    for (bytes, error) in cases {
        assert_eq!(Replay::parse(&bytes, 3), Err(error));
    }
}

#[test]
fn no_store_has_no_frames() {
    let none = Replay::default();
    assert_eq!((none.len(), none.frame(0)), (0, None));
}
