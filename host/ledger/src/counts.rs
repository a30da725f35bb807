//! What became of frames.

use microtome_journal::Record;
use microtome_journal::record::Origin;
use serde::Serialize;

/// What became of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Results.
    pub results: u64,
    /// Those that are a heavier model's.
    pub offloaded: u64,
    /// Those of the board's own that are so because a deadline passed.
    pub late: u64,
    /// Those of the board's own that are so because the host could not answer.
    pub unanswered: u64,
    /// Exposures that were due and did not take place.
    pub missed: u64,
    /// Frames without a result.
    pub lost: u64,
}

impl Counts {
    /// Counts a result.
    pub fn add(&mut self, record: &Record) {
        self.results += 1;
        self.missed += u64::from(record.missed);
        match record.origin {
            Origin::Board => {}
            Origin::Host => self.offloaded += 1,
            Origin::BoardAfterDeadline => self.late += 1,
            Origin::BoardAfterNoAnswer => self.unanswered += 1,
        }
    }
}
