//! What is removed from a journal again.
//!
//! The oldest records go first. The hash of the last one that was removed stays as the chain's
//! anchor, so that what is left can still be audited; so does what is known of every start of a
//! board, so that a removed result is not taken for a new one.

use std::time::Duration;

/// How much is kept; without limits, everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Records that were received longer ago are removed.
    pub age_max: Option<Duration>,
    /// The newest so many records are kept.
    pub records_max: Option<u64>,
    /// The newest records are kept whose sizes, with their frames, add up to no more.
    pub bytes_max: Option<u64>,
    /// The newest frames are kept whose sizes add up to no more; records stay.
    pub frames_bytes_max: Option<u64>,
}

impl Retention {
    /// Whether the oldest record must go, of `records` with `bytes` together, when that was received
    /// `age` ago.
    pub(crate) fn is_over(&self, records: u64, bytes: u64, age: Duration) -> bool {
        self.age_max.is_some_and(|max| age > max)
            || self.records_max.is_some_and(|max| records > max)
            || self.bytes_max.is_some_and(|max| bytes > max)
    }

    /// Whether the oldest frame must go, of frames with `bytes` together.
    pub(crate) fn is_over_frames(&self, bytes: u64) -> bool {
        self.frames_bytes_max.is_some_and(|max| bytes > max)
    }

    /// Whether there is any limit.
    pub(crate) fn is_limited(&self) -> bool {
        *self != Self::default()
    }
}
