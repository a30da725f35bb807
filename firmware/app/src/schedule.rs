//! When frames are due, and which exposures did not take place.
//!
//! Frames are due one period apart, counted from the first one; none is put off because another one
//! was late. Each time that a frame is due is either one exposure or one that was missed.

use embassy_time::{Duration, Instant};
use microtome_link::message::{Acquisition, Mode};

/// The times at which the frames of one acquisition are due.
pub(crate) struct Schedule {
    mode: Mode,
    /// Zero is that frames are due as soon as they can be exposed.
    period: Duration,
    /// When the next one is due.
    due: Instant,
    /// Whether the board has been free since before then.
    is_awaited: bool,
    /// Exposures missed since the last that took place.
    missed: u32,
}

impl Schedule {
    /// Frames from `now` on.
    pub fn new(how: &Acquisition, now: Instant) -> Self {
        Self {
            mode: how.mode,
            period: Duration::from_micros(how.period_us.into()),
            due: now,
            is_awaited: true,
            missed: 0,
        }
    }

    /// Whether a frame is to be exposed at once; if not, the time to ask again at the latest, which
    /// is never for a board that `is_free` for a frame only when something else has happened.
    pub fn turn(&mut self, now: Instant, is_free: bool) -> Result<(), Instant> {
        if now < self.due {
            self.is_awaited = is_free;
            return Err(self.due);
        }
        if !is_free {
            self.is_awaited = false;
            return Err(Instant::MAX);
        }
        let is_timely = self.is_awaited || self.mode == Mode::Rate || self.is_unpaced();
        if !is_timely {
            let passed = self.passed(now) + 1;
            self.miss(passed);
            self.advance(passed);
            self.is_awaited = true;
            return Err(self.due);
        }
        // The frame is the one that was due last.
        let passed = self.passed(now);
        self.miss(passed);
        self.advance(passed + 1);
        self.is_awaited = false;
        Ok(())
    }

    /// Exposures missed since this was asked last.
    pub fn take_missed(&mut self) -> u32 {
        core::mem::take(&mut self.missed)
    }

    fn is_unpaced(&self) -> bool {
        self.period == Duration::from_ticks(0)
    }

    /// Further frames that have become due since the next one was.
    fn passed(&self, now: Instant) -> u64 {
        let late = now.as_ticks() - self.due.as_ticks();
        late.checked_div(self.period.as_ticks()).unwrap_or(0)
    }

    fn miss(&mut self, count: u64) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.missed = self.missed.saturating_add(count);
    }

    fn advance(&mut self, count: u64) {
        self.due += Duration::from_ticks(self.period.as_ticks() * count);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::Schedule;
    use embassy_time::Instant;
    use microtome_link::message::{Acquisition, Mode};
    use std::{vec, vec::Vec};

    fn schedule(mode: Mode, period_us: u32) -> Schedule {
        let how = Acquisition {
            frames: 0,
            period_us,
            offload: true,
            deadline_ms: 100,
            mode,
        };
        Schedule::new(&how, at(0))
    }

    fn at(us: u64) -> Instant {
        Instant::from_micros(us)
    }

    /// Exposures and misses of a board that is busy for `busy_us` after each exposure.
    fn run(mut schedule: Schedule, busy_us: u64, until_us: u64) -> (Vec<u64>, u64) {
        let (mut exposed, mut missed) = (Vec::new(), 0);
        let (mut now, mut free) = (0, 0);
        while now < until_us {
            match schedule.turn(at(now), now >= free) {
                Ok(()) => {
                    exposed.push(now);
                    missed += u64::from(schedule.take_missed());
                    free = now + busy_us;
                }
                // What makes the board free is what happens then.
                Err(until) if now < free => now = until.as_micros().min(free),
                Err(until) => now = until.as_micros(),
            }
        }
        (exposed, missed)
    }

    #[test]
    fn a_board_that_is_quick_enough_exposes_when_frames_are_due() {
        for mode in [Mode::Rate, Mode::Latency] {
            let (exposed, missed) = run(schedule(mode, 100), 90, 500);
            assert_eq!(exposed, [0, 100, 200, 300, 400]);
            assert_eq!(missed, 0);
        }
    }

    #[test]
    fn for_rate_a_slow_board_exposes_late_and_counts_what_it_missed() {
        let (exposed, missed) = run(schedule(Mode::Rate, 100), 150, 1000);
        assert_eq!(exposed, [0, 150, 300, 450, 600, 750, 900]);
        // Ten were due.
        assert_eq!(missed, 3);
    }

    #[test]
    fn for_latency_a_slow_board_exposes_when_due_or_not_at_all() {
        let (exposed, missed) = run(schedule(Mode::Latency, 100), 150, 1000);
        assert_eq!(exposed, [0, 200, 400, 600, 800]);
        assert_eq!(missed, 4);
    }

    #[test]
    fn every_time_that_a_frame_is_due_is_exposed_or_missed() {
        for mode in [Mode::Rate, Mode::Latency] {
            for busy_us in [10, 99, 100, 101, 250, 999, 1001] {
                let (exposed, missed) = run(schedule(mode, 100), busy_us, 10_000);
                let last = exposed.last().expect("there are some") / 100;
                assert_eq!(
                    exposed.len() as u64 + missed,
                    last + 1,
                    "{mode:?} {busy_us}"
                );
            }
        }
    }

    #[test]
    fn without_a_period_nothing_is_missed() {
        for mode in [Mode::Rate, Mode::Latency] {
            let (exposed, missed) = run(schedule(mode, 0), 7, 21);
            assert_eq!((exposed, missed), (vec![0, 7, 14], 0));
        }
    }
}
