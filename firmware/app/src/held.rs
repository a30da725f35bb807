//! Results that the host has not said to be stored.
//!
//! They outlive sessions, not the board's power: whatever becomes of the host or the line, a
//! result is sent again until the host cannot lose it any more. There is room for [`HELD_MAX`];
//! without room the board exposes no frame.

use heapless::Deque;
use microtome_link::message::{FrameResult, HELD_MAX};

/// The results, in the order of their numbers.
pub(crate) struct Held {
    results: Deque<FrameResult, HELD_MAX>,
    /// Number of the next result.
    next: u64,
}

impl Held {
    pub const fn new() -> Self {
        Self {
            results: Deque::new(),
            next: 0,
        }
    }

    /// Number of results.
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Whether so many more can be held.
    pub fn has_room(&self, count: usize) -> bool {
        HELD_MAX - self.results.len() >= count
    }

    /// Gives the result its number and holds it.
    pub fn hold(&mut self, mut result: FrameResult) -> FrameResult {
        result.sequence = self.next;
        self.next += 1;
        // A frame is only exposed when there is room for its result.
        let _ = self.results.push_back(result.clone());
        result
    }

    /// The result at `index` from the oldest on.
    pub fn get(&self, index: usize) -> Option<&FrameResult> {
        self.results.iter().nth(index)
    }

    /// Forgets the results up to number `through`.
    pub fn stored(&mut self, through: u64) {
        while let Some(oldest) = self.results.front()
            && oldest.sequence <= through
        {
            self.results.pop_front();
        }
    }
}
