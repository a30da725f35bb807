//! The board's clock against the host's, both in microseconds.
//!
//! A message that carries a board time bounds the offset between the clocks: it arrived no earlier
//! than it was sent, and where it answers a question, the question was asked no later than that.
//! The truth lies between the tightest bounds of the last [`WINDOW`] messages either way; bounds
//! loosen with age by what clocks may drift apart. A clock that was set makes them worthless: they
//! are forgotten where the host's clock and its monotonic one have gone on by different times, and
//! where the bounds contradict each other.

use microtome_journal::record::Clock;
use std::collections::VecDeque;
use std::time::Instant;

/// Messages that each bound rests on.
const WINDOW: usize = 64;
/// Microseconds in a second by which two clocks drift apart at most: each by 50.
const DRIFT_PPM: u64 = 100;
/// Microseconds by which the host's clock may go on by another time than its monotonic one although
/// nobody has set it: the two are not read at once.
const SET_MIN_US: u64 = 1_000;
/// Parts in a million by which they may differ while the clock is slewed.
const SLEW_PPM: u64 = 1_000;

/// An estimate of host time minus board time.
#[derive(Debug, Default)]
pub struct ClockOffset {
    upper: VecDeque<Bound>,
    lower: VecDeque<Bound>,
    /// The latest board time.
    board_us: u64,
    /// The host's two clocks when they were compared last.
    watched: Option<(Instant, u64)>,
}

/// A bound, and the board time that it rests on.
#[derive(Clone, Copy, Debug)]
struct Bound {
    offset_us: i64,
    board_us: u64,
}

impl ClockOffset {
    /// Forgets all bounds if the host's clock, which shows `host_us` at `now`, was set since the
    /// last call.
    pub fn watch(&mut self, now: Instant, host_us: u64) {
        let before = self.watched.replace((now, host_us));
        let was_set = before.is_some_and(|(at, before_us)| {
            let steady_us = now.saturating_duration_since(at).as_micros() as u64;
            let off_us = before_us.saturating_add(steady_us).abs_diff(host_us);
            off_us > SET_MIN_US + steady_us / (1_000_000 / SLEW_PPM)
        });
        if was_set {
            self.forget();
        }
    }

    /// Takes note of a message that the board sent at `board_us` and that arrived at `host_us`.
    pub fn observe(&mut self, board_us: u64, host_us: u64) {
        let bound = self.bound(board_us, host_us);
        push(&mut self.upper, bound);
        if self.is_contradictory() {
            (self.upper, self.lower) = ([bound].into(), VecDeque::new());
        }
    }

    /// Takes note of an answer that the board gave at `board_us`, to a question from `asked_us`,
    /// and that arrived at `host_us`.
    pub fn compare(&mut self, asked_us: u64, board_us: u64, host_us: u64) {
        if host_us < asked_us {
            // The clock was set between question and answer: neither says anything of the other.
            return self.forget();
        }
        let (lower, upper) = (
            self.bound(board_us, asked_us),
            self.bound(board_us, host_us),
        );
        push(&mut self.lower, lower);
        push(&mut self.upper, upper);
        if self.is_contradictory() {
            (self.upper, self.lower) = ([upper].into(), [lower].into());
        }
    }

    /// The estimate, once a question was answered.
    pub fn estimate(&self) -> Option<Clock> {
        let (lower, upper) = (self.lower()?, self.upper()?);
        let width = upper.saturating_sub(lower).max(0);
        Some(Clock {
            offset_us: lower.saturating_add(width / 2),
            uncertainty_us: width.unsigned_abs().div_ceil(2),
        })
    }

    /// The host's time when the board's clock showed `board_us`; `None` before any message.
    pub fn host_us(&self, board_us: u64) -> Option<u64> {
        let estimate = self.estimate().map(|clock| clock.offset_us);
        Some(board_us.wrapping_add_signed(estimate.or_else(|| self.upper())?))
    }

    fn forget(&mut self) {
        self.upper.clear();
        self.lower.clear();
    }

    fn bound(&mut self, board_us: u64, host_us: u64) -> Bound {
        self.board_us = self.board_us.max(board_us);
        Bound {
            offset_us: host_us.wrapping_sub(board_us).cast_signed(),
            board_us,
        }
    }

    fn upper(&self) -> Option<i64> {
        let bounds = self.upper.iter();
        let loosened = bounds.map(|bound| bound.offset_us.saturating_add(self.drift_us(bound)));
        loosened.min()
    }

    fn lower(&self) -> Option<i64> {
        let bounds = self.lower.iter();
        let loosened = bounds.map(|bound| bound.offset_us.saturating_sub(self.drift_us(bound)));
        loosened.max()
    }

    /// How far the clocks may have drifted apart since the bound.
    fn drift_us(&self, bound: &Bound) -> i64 {
        let age_us = self.board_us.saturating_sub(bound.board_us);
        (age_us / (1_000_000 / DRIFT_PPM)).cast_signed()
    }

    fn is_contradictory(&self) -> bool {
        matches!((self.lower(), self.upper()), (Some(lower), Some(upper)) if lower > upper)
    }
}

fn push(bounds: &mut VecDeque<Bound>, bound: Bound) {
    if bounds.len() == WINDOW {
        bounds.pop_front();
    }
    bounds.push_back(bound);
}

#[cfg(test)]
mod tests {
    use super::{Clock, ClockOffset};
    use std::time::{Duration, Instant};

    #[test]
    fn the_quickest_message_counts() {
        let mut clock = ClockOffset::default();
        assert_eq!(clock.host_us(5), None);
        clock.observe(100, 1_300);
        clock.observe(200, 1_250);
        clock.observe(300, 1_900);
        assert_eq!(clock.host_us(400), Some(1_450));
        assert_eq!(clock.estimate(), None);
    }

    #[test]
    fn clocks_that_drift_apart_are_followed() {
        let mut clock = ClockOffset::default();
        for second in 0..1_000_u64 {
            clock.observe(second * 1_000_000, second * 1_000_050 + 70);
        }
        let error_us = clock
            .host_us(999_000_000)
            .unwrap()
            .abs_diff(999 * 1_000_050);
        assert!(error_us < 64 * 50, "{error_us}");
    }

    #[test]
    fn question_and_answer_bound_the_offset_from_both_sides() {
        let mut clock = ClockOffset::default();
        // The offset is 1,000; there takes 20, and back 60.
        clock.compare(1_080, 100, 1_160);
        let uncertain = Clock {
            offset_us: 1_020,
            uncertainty_us: 40,
        };
        assert_eq!(clock.estimate(), Some(uncertain));
        // A result that came within 10 says more.
        clock.observe(200, 1_210);
        let Clock {
            offset_us,
            uncertainty_us,
        } = clock.estimate().unwrap();
        assert!(offset_us.abs_diff(1_000) <= uncertainty_us && uncertainty_us == 15);
    }

    #[test]
    fn the_truth_stays_within_the_uncertainty_when_clocks_drift() {
        let mut clock = ClockOffset::default();
        for second in 0..2_000_u64 {
            let (board_us, host_us) = (second * 1_000_000, 5_000_000 + second * 1_000_090);
            clock.compare(
                host_us - 300 - second % 7,
                board_us,
                host_us + 200 + second % 11,
            );
            let Clock {
                offset_us,
                uncertainty_us,
            } = clock.estimate().unwrap();
            let truth_us = (host_us - board_us).cast_signed();
            assert!(offset_us.abs_diff(truth_us) <= uncertainty_us, "{second}");
            assert!(uncertainty_us <= 300, "{uncertainty_us}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_before_the_next_answer() {
        let (mut clock, begin) = (ClockOffset::default(), Instant::now());
        let watch = |clock: &mut ClockOffset, ms: u64, step_us: i64| {
            let host_us = (9_000_000_000 + ms * 1_000).wrapping_add_signed(step_us);
            clock.watch(begin + Duration::from_millis(ms), host_us);
            host_us
        };
        for step_us in [0, 3_600_000_000, 2_000_000, 0] {
            let at_ms = 1_000;
            let host_us = watch(&mut clock, at_ms, step_us);
            assert_eq!(clock.estimate(), None);
            clock.compare(host_us - 50, 500, host_us + 50);
            assert!(clock.estimate().is_some());
            // What a slewed clock does is no step.
            watch(&mut clock, at_ms + 10_000, step_us + 5_000);
            assert!(clock.estimate().is_some());
            watch(&mut clock, at_ms, step_us);
            clock.compare(host_us - 50, 500, host_us + 50);
        }
    }

    #[test]
    fn an_answer_from_before_its_question_says_nothing() {
        let mut clock = ClockOffset::default();
        clock.compare(8_000_000_000, 100, 8_000_000_100);
        clock.compare(8_000_000_000, 200, 4_400_000_100);
        assert_eq!(clock.estimate(), None);
    }

    #[test]
    fn a_clock_that_is_set_is_followed_at_once() {
        for step_us in [-3_600_000_000_i64, 3_600_000_000] {
            let mut clock = ClockOffset::default();
            for second in 10..20_u64 {
                let host_us = 8_000_000_000 + second * 1_000_000;
                clock.compare(host_us - 50, second * 1_000_000, host_us + 50);
            }
            let host_us = (8_020_000_000_u64).wrapping_add_signed(step_us);
            clock.compare(host_us - 50, 20_000_000, host_us + 50);
            let offset_us = clock.estimate().unwrap().offset_us;
            assert_eq!(offset_us, 8_000_000_000 + step_us);
        }
    }
}
