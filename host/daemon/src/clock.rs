//! The board's clock against the host's, both in microseconds.
//!
//! Every message that carries a board time bounds the offset between the clocks from above: it
//! arrived no earlier than it was sent. The least bound of the last [`WINDOW`] messages is taken;
//! it is too large by the shortest time that one of them spent on the wire. The window lets the
//! estimate follow clocks that drift apart.

use std::collections::VecDeque;

/// Messages that the estimate rests on.
const WINDOW: usize = 64;

/// An estimate of host time minus board time.
#[derive(Debug, Default)]
pub struct ClockOffset {
    bounds_us: VecDeque<i64>,
}

impl ClockOffset {
    /// Takes note of a message that the board sent at `board_us` and that arrived at `host_us`.
    pub fn observe(&mut self, board_us: u64, host_us: u64) {
        if self.bounds_us.len() == WINDOW {
            self.bounds_us.pop_front();
        }
        self.bounds_us
            .push_back(host_us.wrapping_sub(board_us).cast_signed());
    }

    /// The host's time when the board's clock showed `board_us`; `None` before any message.
    pub fn host_us(&self, board_us: u64) -> Option<u64> {
        let offset_us = *self.bounds_us.iter().min()?;
        Some(board_us.wrapping_add_signed(offset_us))
    }
}

#[cfg(test)]
mod tests {
    use super::ClockOffset;

    #[test]
    fn the_quickest_message_counts() {
        let mut clock = ClockOffset::default();
        assert_eq!(clock.host_us(5), None);
        clock.observe(100, 1_300);
        clock.observe(200, 1_250);
        clock.observe(300, 1_900);
        assert_eq!(clock.host_us(400), Some(1_450));
    }

    #[test]
    fn clocks_that_drift_apart_are_followed() {
        let mut clock = ClockOffset::default();
        for second in 0..1_000_u64 {
            clock.observe(second * 1_000_000, second * 1_000_050 + 70);
        }
        let error_us = 999 * 1_000_050 - clock.host_us(999_000_000).unwrap();
        assert!(error_us < 64 * 50, "{error_us}");
    }
}
