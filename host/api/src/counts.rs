//! Counts of what was acquired.

use microtome_journal::record::{Origin, Record};
use serde::Serialize;
use utoipa::ToSchema;

/// What a device acquired since the daemon began, or a session of it, or several devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// Results that are in the journal.
    pub frames: u64,
    /// Those that are the board's own reading.
    pub on_board: u64,
    /// Those that are a heavier model's.
    pub offloaded: u64,
    /// Those of the board's own that are so because a deadline passed.
    pub late: u64,
    /// Those of the board's own that are so because the host could not answer.
    pub unanswered: u64,
    /// Frames without a result.
    pub lost: u64,
    /// Exposures that were due and did not take place.
    pub missed: u64,
}

impl Counts {
    /// Counts a result that is in the journal.
    pub fn count(&mut self, record: &Record) {
        self.frames += 1;
        self.missed += u64::from(record.missed);
        match record.origin {
            Origin::Host => self.offloaded += 1,
            Origin::Board => self.on_board += 1,
            Origin::BoardAfterDeadline => {
                self.on_board += 1;
                self.late += 1;
            }
            Origin::BoardAfterNoAnswer => {
                self.on_board += 1;
                self.unanswered += 1;
            }
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.on_board += other.on_board;
        self.offloaded += other.offloaded;
        self.late += other.late;
        self.unanswered += other.unanswered;
        self.lost += other.lost;
        self.missed += other.missed;
    }
}
