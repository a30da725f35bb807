//! What the ledger has of one device.

use crate::clock::{ClockRate, Rates};
use crate::counts::Counts;
use crate::drift::{Alarm, AlarmEvent, Detector, Quantile};
use crate::leg::{Leg, Legs};
use crate::spread::{Percentiles, Spread};
use crate::window::{Open, Window};
use microtome_journal::{Hash, Record};
use serde::Serialize;
use std::collections::VecDeque;

/// Windows that are kept: the last twelve hours where a window is a minute.
pub const WINDOWS_MAX: usize = 720;
/// Alarms raised and ended that are kept.
pub const EVENTS_MAX: usize = 100;

/// What the ledger has of one device: about 600 kB at most.
#[derive(Debug)]
pub struct Account {
    window_us: u64,
    counts: Counts,
    spreads: Legs<Spread>,
    /// When the first and the last result were received.
    span_us: Option<(u64, u64)>,
    open: Open,
    windows: VecDeque<Window>,
    /// Those with the lowest and the highest 99th percentile of all their results.
    extremes: Option<(Window, Window)>,
    detectors: Vec<Detector>,
    events: VecDeque<AlarmEvent>,
    clock: Rates,
    /// Provenance of the last result.
    source: Option<Hash>,
    /// Start of the board, and number, of the last result.
    last: Option<(String, u64)>,
}

/// What is known of a device, to be told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// When the first result was received, in microseconds since 1970, UTC.
    pub from_us: u64,
    /// When the last one was.
    pub until_us: u64,
    /// What became of frames.
    pub counts: Counts,
    /// Microseconds of each leg of all results.
    pub latency_us: Legs<Option<Percentiles>>,
    /// The last window that is over.
    pub last: Option<Window>,
    /// The window with the lowest 99th percentile of the whole way.
    pub best: Option<Window>,
    /// The one with the highest.
    pub worst: Option<Window>,
    /// The board's clock.
    pub clock: Option<ClockRate>,
    /// Alarms that stand.
    pub alarms: Vec<Alarm>,
    /// Alarms that were raised and ended, the newest last.
    pub events: Vec<AlarmEvent>,
}

impl Account {
    /// Nothing yet; windows have `window_us` microseconds.
    pub fn new(window_us: u64) -> Self {
        let watch = |leg| Quantile::ALL.map(|quantile| Detector::new(leg, quantile));
        Self {
            window_us: window_us.max(1),
            counts: Counts::default(),
            spreads: Legs::default(),
            span_us: None,
            open: Open::default(),
            windows: VecDeque::new(),
            extremes: None,
            detectors: Leg::ALL.into_iter().flat_map(watch).collect(),
            events: VecDeque::new(),
            clock: Rates::default(),
            source: None,
            last: None,
        }
    }

    /// Takes a result; what it changes about alarms.
    pub fn record(&mut self, record: &Record) -> Vec<AlarmEvent> {
        let now_us = record.host_time_us;
        let mut changes = self.end_window(now_us);
        if self
            .source
            .is_some_and(|source| source != record.provenance)
        {
            let ended = self.detectors.iter_mut();
            let ended: Vec<_> = ended.filter_map(|it| it.reset(now_us)).collect();
            changes.extend(self.note(ended));
        }
        self.source = Some(record.provenance);
        let lost = self.gap(record);
        self.lose(lost);
        let first_us = self.span_us.map_or(now_us, |(first_us, _)| first_us);
        self.span_us = Some((first_us.min(now_us), now_us));
        self.counts.add(record);
        self.clock.add(record);
        self.open.add(now_us / self.window_us, record);
        for (leg, spread) in self.spreads.iter_mut() {
            if let Some(us) = leg.of(&record.latency_us) {
                spread.add(us);
            }
        }
        changes
    }

    /// Counts frames that have no result.
    pub fn lose(&mut self, frames: u64) {
        self.counts.lost += frames;
        self.open.counts.lost += frames;
    }

    /// Ends the window at hand if it is not that of `now_us`; what that changes about alarms.
    pub fn end_window(&mut self, now_us: u64) -> Vec<AlarmEvent> {
        if !self.open.is_over(now_us / self.window_us) {
            return Vec::new();
        }
        self.close()
    }

    /// Ends the window at hand.
    pub fn close(&mut self) -> Vec<AlarmEvent> {
        let Some(window) = self.open.close(self.window_us) else {
            return Vec::new();
        };
        self.clock.close();
        let end_us = window.begin_us.saturating_add(self.window_us);
        let take = |detector: &mut Detector| {
            let percentiles = window.latency_us.get(detector.leg()).as_ref()?;
            detector.take(detector.quantile().of(percentiles)?, end_us)
        };
        let changes: Vec<_> = self.detectors.iter_mut().filter_map(take).collect();
        self.keep(window);
        self.note(changes)
    }

    /// What is known, to be told.
    pub fn snapshot(&self) -> Snapshot {
        let (from_us, until_us) = self.span_us.unwrap_or_default();
        let extreme = self.extremes.as_ref();
        Snapshot {
            from_us,
            until_us,
            counts: self.counts,
            latency_us: self.spreads.map(Spread::percentiles),
            last: self.windows.back().cloned(),
            best: extreme.map(|(best, _)| best.clone()),
            worst: extreme.map(|(_, worst)| worst.clone()),
            clock: self.clock.rate(),
            alarms: self.detectors.iter().filter_map(Detector::alarm).collect(),
            events: self.events.iter().copied().collect(),
        }
    }

    /// The windows that are over, the newest last.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter()
    }

    fn keep(&mut self, window: Window) {
        let p99 = |window: &Window| {
            let total = window.latency_us.get(Leg::Total);
            total.map_or(0, |total| total.p99)
        };
        match &mut self.extremes {
            None => self.extremes = Some((window.clone(), window.clone())),
            Some((best, _)) if p99(&window) < p99(best) => *best = window.clone(),
            Some((_, worst)) if p99(&window) > p99(worst) => *worst = window.clone(),
            Some(_) => {}
        }
        if self.windows.len() == WINDOWS_MAX {
            self.windows.pop_front();
        }
        self.windows.push_back(window);
    }

    fn note(&mut self, changes: Vec<AlarmEvent>) -> Vec<AlarmEvent> {
        self.events.extend(&changes);
        let surplus = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..surplus);
        changes
    }

    /// Results of the same start of the board that are missing before this one.
    fn gap(&mut self, record: &Record) -> u64 {
        let now = (record.boot.clone(), record.sequence);
        let before = self.last.replace(now);
        before
            .filter(|(boot, _)| *boot == record.boot)
            .map_or(0, |(_, sequence)| {
                record.sequence.saturating_sub(sequence.saturating_add(1))
            })
    }
}
