//! How long to wait for a sign that a message has arrived.
//!
//! A round trip has a part that grows with the bytes under way, and the rest: how long both sides
//! take to act. The first is estimated by the least time a byte that was seen, the second smoothed
//! as TCP does it (RFC 6298), with its back-off. So a long message after short ones is given the
//! time that it takes on a slow line, and on a fast one nothing waits longer than it must.

/// The part for both sides before the first measurement.
const INITIAL_US: u64 = 100_000;
/// A board between two steps of a plan, or a busy host, is often later than it was before. As a
/// timeout sends no more than a query, the limit can be low.
const MIN_US: u64 = 2_000;
/// Longest wait, for whatever reason.
const MAX_US: u64 = 2_000_000;
/// Doublings of the part for both sides.
const BACKOFFS_MAX: u32 = 10;

/// A retransmission timeout that follows the measured round trips and backs off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    /// Least time that a round trip took for each byte that was under way.
    byte_ns: u64,
    /// What round trips took beyond that, smoothed; `None` before the first one.
    smoothed_us: Option<u64>,
    variation_us: u64,
    backoffs: u32,
}

impl Timeout {
    pub const NEW: Self = Self {
        byte_ns: u64::MAX,
        smoothed_us: None,
        variation_us: 0,
        backoffs: 0,
    };

    /// The timeout with so many bytes under way.
    pub fn current_us(&self, bytes: u32) -> u64 {
        let (sides_us, wire_us) = match self.smoothed_us {
            None => (INITIAL_US, 0),
            Some(smoothed_us) => (
                (smoothed_us + 4 * self.variation_us).max(MIN_US),
                self.wire_us(bytes),
            ),
        };
        ((sides_us << self.backoffs) + wire_us).min(MAX_US)
    }

    /// Learns from the round trip of a frame that was sent once, with so many bytes under way
    /// from its first byte to its last. That ends the back-off (Karn's rule: no other round trip
    /// says to which transmission the answer was).
    pub fn measured(&mut self, round_trip_us: u64, bytes: u32) {
        let round_trip_us = round_trip_us.min(MAX_US);
        let byte_ns = round_trip_us * 1000 / u64::from(bytes.max(1));
        self.byte_ns = self.byte_ns.min(byte_ns);
        let sides_us = round_trip_us - self.wire_us(bytes);
        let smoothed_us = match self.smoothed_us {
            None => {
                self.variation_us = sides_us / 2;
                sides_us
            }
            Some(smoothed_us) => {
                let deviation_us = smoothed_us.abs_diff(sides_us);
                self.variation_us = (3 * self.variation_us + deviation_us) / 4;
                (7 * smoothed_us + sides_us) / 8
            }
        };
        self.smoothed_us = Some(smoothed_us);
        self.backoffs = 0;
    }

    /// Nothing came in time: the part for both sides doubles from now on.
    pub fn expired(&mut self) {
        self.backoffs = (self.backoffs + 1).min(BACKOFFS_MAX);
    }

    /// At most the round trip of which `byte_ns` was learnt, for as many bytes.
    fn wire_us(&self, bytes: u32) -> u64 {
        self.byte_ns * u64::from(bytes) / 1000
    }
}
