//! Which frames of an acquisition have their result.
//!
//! A board goes on with later frames while it waits for an answer, so results come out of order.

use std::collections::BTreeSet;

/// Frames that may be open at a time; a board that skips more is not believed.
const OPEN_MAX: u32 = 4096;

/// The frames of one acquisition.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Lowest number that was not heard of.
    next: u32,
    /// Lower numbers without a result.
    open: BTreeSet<u32>,
}

/// What a result is to its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The result that was waited for.
    Now,
    /// The frame has had one before.
    Before,
    /// The number is out of all proportion.
    Never,
}

impl Frames {
    /// Takes note of a frame that will have a result; `false` when its number can not be.
    pub fn expect(&mut self, frame: u32) -> bool {
        if frame < self.next {
            return self.open.contains(&frame);
        }
        let skipped = frame - self.next;
        if frame == u32::MAX || skipped + self.open.len() as u32 >= OPEN_MAX {
            return false;
        }
        self.open.extend(self.next..=frame);
        self.next = frame + 1;
        true
    }

    /// Takes note of a result.
    pub fn settle(&mut self, frame: u32) -> Settled {
        if frame >= self.next && !self.expect(frame) {
            Settled::Never
        } else if self.open.remove(&frame) {
            Settled::Now
        } else {
            Settled::Before
        }
    }

    /// Frames without a result, when the board says that it had `frames`; `None` is that the
    /// session broke.
    pub fn lost(&self, frames: Option<u32>) -> u64 {
        let unheard = frames.unwrap_or(0).saturating_sub(self.next);
        self.open.len() as u64 + u64::from(unheard)
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, Settled};

    #[test]
    fn results_may_come_in_any_order() {
        let mut frames = Frames::default();
        assert!(frames.expect(0));
        for frame in [2, 1, 0, 3] {
            assert_eq!(frames.settle(frame), Settled::Now);
        }
        assert_eq!(frames.lost(Some(4)), 0);
        assert_eq!(frames.settle(2), Settled::Before);
    }

    #[test]
    fn what_has_no_result_is_lost() {
        let mut frames = Frames::default();
        frames.settle(1);
        assert!(frames.expect(2));
        assert_eq!(frames.lost(Some(3)), 2);
        assert_eq!(frames.lost(Some(10)), 9);
        assert_eq!(frames.lost(None), 2);
    }

    #[test]
    fn a_number_out_of_all_proportion_is_refused() {
        let mut frames = Frames::default();
        assert_eq!(frames.settle(u32::MAX), Settled::Never);
        assert!(!frames.expect(1 << 20));
        assert_eq!(frames.lost(None), 0);
    }
}
