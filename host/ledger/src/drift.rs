//! Whether a percentile drifts, from window to window.
//!
//! The first [`BASELINE`] windows are what the last [`RECENT`] are compared with, by their ranks
//! alone (the test of Mann and Whitney), so that it does not matter how the times are spread, nor
//! how long the longest of them are. The leg is slower when at most [`ODD_PAIRS_MAX`] of the 300
//! pairs of a recent and an earlier window say the contrary, and faster when at most so many say
//! that; the medians must also differ by 3 % and by 50 µs, since less is of no use to anybody.
//!
//! Where windows differ by chance alone, that happens in one test of 3.2 million either way
//! (`tests/drift.rs` counts it), which with two percentiles of eight legs, once a minute, is one
//! false alarm in 70 days at most. Windows that depend on each other, as those of a computer with
//! other work now and then, give more.
//!
//! An alarm ends when a fifth of the pairs or more say the contrary, or the medians differ by less
//! than half of the above; and when it has stood for [`STANDING_MAX`] windows: then the last ones
//! become the baseline, and further drift is measured against them.

use crate::leg::Leg;
use crate::spread::Percentiles;
use serde::Serialize;
use std::collections::VecDeque;

/// Windows of the baseline.
pub const BASELINE: usize = 30;
/// Windows that are compared with it.
pub const RECENT: usize = 10;
/// Pairs of a recent and a baseline window that may contradict an alarm.
pub const ODD_PAIRS_MAX: usize = 12;
/// Contradicting pairs that end an alarm.
const ODD_PAIRS_END: usize = 60;
/// Windows after which the level of an alarm is the new baseline.
pub const STANDING_MAX: usize = 60;
/// The least difference of an alarm, in 1/100.
const CHANGE_PERCENT_MIN: u64 = 3;
/// And in microseconds.
const CHANGE_US_MIN: u64 = 50;

/// The percentile of a window that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantile {
    /// The median.
    P50,
    /// The 99th percentile.
    P99,
}

impl Quantile {
    /// All that are watched.
    pub const ALL: [Self; 2] = [Self::P50, Self::P99];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
        }
    }

    /// Its value, where there are enough times for it.
    pub fn of(self, percentiles: &Percentiles) -> Option<u64> {
        let (value, count_min) = match self {
            Self::P50 => (percentiles.p50, 8),
            Self::P99 => (percentiles.p99, 100),
        };
        (percentiles.count >= count_min).then_some(value)
    }
}

/// A percentile of a leg that has become another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// The leg.
    pub leg: Leg,
    /// The percentile.
    pub quantile: Quantile,
    /// When the alarm was raised: the end of its window, in microseconds since 1970, UTC.
    pub since_us: u64,
    /// Median of the percentile in the baseline's windows.
    pub from_us: u64,
    /// Median of the percentile in the windows before this was told.
    pub to_us: u64,
}

/// An alarm is raised or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AlarmEvent {
    /// When: the end of a window, in microseconds since 1970, UTC.
    pub at_us: u64,
    /// The alarm.
    pub alarm: Alarm,
    /// Whether and why.
    pub cause: Cause,
}

/// What became of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is raised.
    Raised,
    /// The leg is as it was.
    Back,
    /// It has stood for so long that its level is the new baseline.
    NewBaseline,
    /// The device has another board, firmware, plan, daemon or calibration.
    OtherSource,
}

impl Cause {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Back => "ended: as before",
            Self::NewBaseline => "ended: the new level is the baseline",
            Self::OtherSource => "ended: the results have another provenance",
        }
    }
}

/// Watches one percentile of one leg.
#[derive(Debug)]
pub struct Detector {
    leg: Leg,
    quantile: Quantile,
    baseline: Vec<u64>,
    /// The last windows after the baseline, as many as a baseline has.
    last: VecDeque<u64>,
    alarm: Option<Standing>,
}

#[derive(Debug)]
struct Standing {
    alarm: Alarm,
    is_slower: bool,
    windows: usize,
}

impl Detector {
    /// Without a baseline yet.
    pub fn new(leg: Leg, quantile: Quantile) -> Self {
        Self {
            leg,
            quantile,
            baseline: Vec::new(),
            last: VecDeque::new(),
            alarm: None,
        }
    }

    /// The leg that it watches.
    pub fn leg(&self) -> Leg {
        self.leg
    }

    /// The percentile that it watches.
    pub fn quantile(&self) -> Quantile {
        self.quantile
    }

    /// The alarm that stands, if one does.
    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm.as_ref().map(|standing| standing.alarm)
    }

    /// Takes the percentile of a window that ended at `at_us`.
    pub fn take(&mut self, value_us: u64, at_us: u64) -> Option<AlarmEvent> {
        if self.baseline.len() < BASELINE {
            self.baseline.push(value_us);
            return None;
        }
        if self.last.len() == BASELINE {
            self.last.pop_front();
        }
        self.last.push_back(value_us);
        if self.last.len() < RECENT {
            return None;
        }
        match self.alarm {
            None => self.raise(at_us),
            Some(_) => self.end(at_us),
        }
    }

    /// Begins anew, with another baseline.
    pub fn reset(&mut self, at_us: u64) -> Option<AlarmEvent> {
        self.baseline.clear();
        self.last.clear();
        self.over(at_us, Cause::OtherSource)
    }

    fn raise(&mut self, at_us: u64) -> Option<AlarmEvent> {
        let now = self.compare();
        let is_slower = now.to_us > now.from_us;
        if !now.differs(1) || now.odd_pairs(is_slower) > ODD_PAIRS_MAX {
            return None;
        }
        let alarm = Alarm {
            leg: self.leg,
            quantile: self.quantile,
            since_us: at_us,
            from_us: now.from_us,
            to_us: now.to_us,
        };
        self.alarm = Some(Standing {
            alarm,
            is_slower,
            windows: 0,
        });
        let cause = Cause::Raised;
        Some(AlarmEvent {
            at_us,
            alarm,
            cause,
        })
    }

    fn end(&mut self, at_us: u64) -> Option<AlarmEvent> {
        let now = self.compare();
        let standing = self.alarm.as_mut()?;
        standing.alarm.to_us = now.to_us;
        standing.windows += 1;
        if !now.differs(2) || now.odd_pairs(standing.is_slower) >= ODD_PAIRS_END {
            return self.over(at_us, Cause::Back);
        }
        if standing.windows < STANDING_MAX {
            return None;
        }
        self.baseline = self.last.drain(..).collect();
        self.over(at_us, Cause::NewBaseline)
    }

    fn over(&mut self, at_us: u64, cause: Cause) -> Option<AlarmEvent> {
        let alarm = self.alarm.take()?.alarm;
        Some(AlarmEvent {
            at_us,
            alarm,
            cause,
        })
    }

    fn compare(&self) -> Comparison {
        let recent = self.last.iter().skip(self.last.len() - RECENT);
        let recent: Vec<u64> = recent.copied().collect();
        let baseline = self.baseline.iter();
        let half_pairs = baseline
            .flat_map(|before| recent.iter().map(move |now| now.cmp(before) as isize + 1))
            .sum::<isize>();
        Comparison {
            from_us: median(&self.baseline),
            to_us: median(&recent),
            higher: half_pairs.unsigned_abs() / 2,
        }
    }
}

/// The last windows against those of the baseline.
struct Comparison {
    from_us: u64,
    to_us: u64,
    /// Pairs in which the recent window has the higher value; of pairs of equals, half.
    higher: usize,
}

impl Comparison {
    /// Pairs that contradict what is said of the leg.
    fn odd_pairs(&self, is_slower: bool) -> usize {
        if is_slower {
            BASELINE * RECENT - self.higher
        } else {
            self.higher
        }
    }

    /// Whether the medians differ by `1 / part` of the least difference of an alarm.
    fn differs(&self, part: u64) -> bool {
        let least = (self.from_us * CHANGE_PERCENT_MIN / 100).max(CHANGE_US_MIN);
        self.from_us.abs_diff(self.to_us) >= least / part
    }
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable(middle).1
}
