//! What happened within one window of time.

use crate::counts::Counts;
use crate::leg::{Leg, Legs};
use crate::spread::{Percentiles, Spread};
use microtome_journal::Record;
use serde::Serialize;

/// A window that is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// When it began, in microseconds since 1970, UTC.
    pub begin_us: u64,
    /// What became of its frames.
    pub counts: Counts,
    /// Microseconds of each leg.
    pub latency_us: Legs<Option<Percentiles>>,
}

/// The window that results go into.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// Its number since 1970; none before the first result.
    number: Option<u64>,
    pub counts: Counts,
    spreads: Legs<Spread>,
}

impl Open {
    /// Whether it is over in window `number`: in a later one, or in an earlier one, when the clock
    /// was set. One window back is none: threads read the clock, and then come in any order.
    pub fn is_over(&self, number: u64) -> bool {
        self.number
            .is_some_and(|own| number != own && number.checked_add(1) != Some(own))
    }

    /// Counts a result that was received in window `number`, where no other was begun.
    pub fn add(&mut self, number: u64, record: &Record) {
        self.number.get_or_insert(number);
        self.counts.add(record);
        for (leg, spread) in self.spreads.iter_mut() {
            if let Some(us) = leg.of(&record.latency_us) {
                spread.add(us);
            }
        }
    }

    /// Ends it, where it has begun; the next result begins another one.
    pub fn close(&mut self, window_us: u64) -> Option<Window> {
        let begin_us = self.number.take()?.saturating_mul(window_us);
        let latency_us = self.spreads.map(Spread::percentiles);
        for leg in Leg::ALL {
            self.spreads.get_mut(leg).clear();
        }
        Some(Window {
            begin_us,
            counts: std::mem::take(&mut self.counts),
            latency_us,
        })
    }
}
