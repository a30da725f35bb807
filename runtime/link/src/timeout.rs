//! How long to wait for an acknowledgement: round trips smoothed as TCP does it (RFC 6298).

/// Before the first measurement.
const INITIAL_US: u64 = 500_000;
/// A window of the longest frames takes 200 ms at 115,200 baud, whatever short frames took before
/// it. Gaps are rejected at once, so only the loss of a last frame waits for this.
const MIN_US: u64 = 250_000;
const MAX_US: u64 = 2_000_000;

/// A retransmission timeout that follows the measured round trips and backs off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    smoothed_us: Option<u64>,
    variation_us: u64,
    current_us: u64,
}

impl Timeout {
    pub const NEW: Self = Self {
        smoothed_us: None,
        variation_us: 0,
        current_us: INITIAL_US,
    };

    pub const fn current_us(&self) -> u64 {
        self.current_us
    }

    /// Learns from the round trip of a frame that was sent once.
    pub fn measured(&mut self, round_trip_us: u64) {
        let smoothed_us = match self.smoothed_us {
            None => {
                self.variation_us = round_trip_us / 2;
                round_trip_us
            }
            Some(smoothed_us) => {
                let deviation_us = smoothed_us.abs_diff(round_trip_us);
                self.variation_us = (3 * self.variation_us + deviation_us) / 4;
                (7 * smoothed_us + round_trip_us) / 8
            }
        };
        self.smoothed_us = Some(smoothed_us);
        self.current_us = (smoothed_us + 4 * self.variation_us).clamp(MIN_US, MAX_US);
    }

    /// Nothing came in time: waits twice as long from now on.
    pub fn expired(&mut self) {
        self.current_us = (2 * self.current_us).min(MAX_US);
    }
}
