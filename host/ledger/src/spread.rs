//! How times of one kind are spread, in memory that does not grow.

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest time that is told from longer ones: an hour.
pub const TIME_US_MAX: u64 = 3_600_000_000;
/// Significant decimal digits that are kept: a percentile is at most 1 % too large.
const DIGITS: u8 = 2;

/// Times of one kind: 13 kB. Each bucket counts to 2^32.
#[derive(Clone, Debug)]
pub struct Spread {
    histogram: Histogram<u32>,
    max_us: u64,
}

/// Percentiles of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Times that there were.
    pub count: u64,
    /// No more than this took half of them.
    pub p50: u64,
    /// And 90 %.
    pub p90: u64,
    /// And 99 %.
    pub p99: u64,
    /// And 99.9 %.
    #[serde(rename = "p99.9")]
    pub p99_9: u64,
    /// The longest, exactly.
    pub max: u64,
}

impl Default for Spread {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, TIME_US_MAX, DIGITS);
        Self {
            histogram: histogram.expect("bounds and digits that the histogram can have"),
            max_us: 0,
        }
    }
}

impl Spread {
    /// Counts a time.
    pub fn add(&mut self, us: u64) {
        self.histogram.saturating_record(us);
        self.max_us = self.max_us.max(us);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.max_us = 0;
    }

    /// The percentiles, where there is a time.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let at = |quantile| self.histogram.value_at_quantile(quantile).min(self.max_us);
        (!self.histogram.is_empty()).then(|| Percentiles {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: self.max_us,
        })
    }
}
