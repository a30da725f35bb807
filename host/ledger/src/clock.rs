//! How fast the board's clock is against the host's.

use microtome_journal::Record;
use serde::Serialize;
use std::collections::VecDeque;

/// Windows over which the rate is taken.
const WINDOWS: usize = 60;
/// Clocks of crystals, and even of RC oscillators that were trimmed, differ by less. With more, a
/// clock was set, or is emulated.
const PPM_MAX: f64 = 10_000.0;

/// The rate of a board's clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClockRate {
    /// Microseconds that the board's clock gains on the host's in a second; negative is that it
    /// falls behind.
    pub ppm: f64,
    /// The truth is not further away from it than this.
    pub uncertainty_ppm: f64,
    /// Seconds between the comparisons that it rests on.
    pub over_s: f64,
}

/// A comparison of the clocks.
#[derive(Clone, Copy, Debug)]
struct Point {
    host_us: u64,
    offset_us: i64,
    uncertainty_us: u64,
}

/// The best comparison of each window.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    /// The start of the board that they are of.
    boot: String,
    points: VecDeque<Point>,
    /// The best of the window at hand.
    best: Option<Point>,
}

impl Rates {
    /// Takes note of a result.
    pub fn add(&mut self, record: &Record) {
        if record.boot != self.boot {
            self.boot.clone_from(&record.boot);
            self.points.clear();
            self.best = None;
        }
        let Some(clock) = record.clock else { return };
        if self
            .best
            .is_none_or(|best| clock.uncertainty_us < best.uncertainty_us)
        {
            self.best = Some(Point {
                host_us: record.host_time_us,
                offset_us: clock.offset_us,
                uncertainty_us: clock.uncertainty_us,
            });
        }
    }

    /// Ends the window.
    pub fn close(&mut self) {
        let Some(best) = self.best.take() else { return };
        let is_plausible = |last: &Point| rate(last, &best).ppm.abs() <= PPM_MAX;
        if !self.points.back().is_none_or(is_plausible) {
            self.points.clear();
        }
        if self.points.len() == WINDOWS {
            self.points.pop_front();
        }
        self.points.push_back(best);
    }

    /// The rate, where there are two windows to compare.
    pub fn rate(&self) -> Option<ClockRate> {
        let (first, last) = (self.points.front()?, self.points.back()?);
        (last.host_us > first.host_us).then(|| rate(first, last))
    }
}

fn rate(first: &Point, last: &Point) -> ClockRate {
    let span_us = last.host_us.saturating_sub(first.host_us).max(1) as f64;
    // Host time minus board time grows where the board falls behind.
    let gained_us = first.offset_us.saturating_sub(last.offset_us) as f64;
    let unsure_us = first.uncertainty_us.saturating_add(last.uncertainty_us) as f64;
    ClockRate {
        ppm: gained_us / span_us * 1e6,
        uncertainty_ppm: unsure_us / span_us * 1e6,
        over_s: span_us / 1e6,
    }
}
