//! A clock and an alarm of an SSE-300's system counter and one of its system timers.
//!
//! The counter has 64 bits and the timer compares all of them: nothing wraps.

use crate::register::Register;
use crate::time::Timebase;

const COUNTER_ENABLE: u32 = 1 << 0;
const TIMER_ENABLE: u32 = 1 << 0;
/// The interrupt stands for as long as the timer is enabled and its time has come.
const TIMER_IS_DUE: u32 = 1 << 2;

/// The clock and the alarm.
pub struct SseTimer {
    counter_control: Register,
    count: [Register; 2],
    compare: [Register; 2],
    control: Register,
}

impl SseTimer {
    /// The clock on the counter whose control frame is at `counter`, the alarm on the timer at
    /// `timer`.
    ///
    /// # Safety
    /// An SSE-300's counter and timer must be there, and nothing else may use them.
    pub const unsafe fn at(counter: usize, timer: usize) -> Self {
        // SAFETY: the caller vouches for both; these are their registers.
        unsafe {
            Self {
                counter_control: Register::at(counter),
                count: [Register::at(timer), Register::at(timer + 0x4)],
                compare: [Register::at(timer + 0x20), Register::at(timer + 0x24)],
                control: Register::at(timer + 0x2C),
            }
        }
    }
}

impl Timebase for SseTimer {
    fn start(&self) {
        self.counter_control.write(COUNTER_ENABLE);
    }

    fn ticks(&self) -> u64 {
        let [low, high] = self.count;
        let mut before = high.read();
        loop {
            let ticks = low.read();
            let after = high.read();
            if before == after {
                return u64::from(after) << 32 | u64::from(ticks);
            }
            before = after;
        }
    }

    fn set_alarm(&self, at: u64) {
        let [low, high] = self.compare;
        // It does not ring for a time of which only a half is written.
        self.control.write(0);
        low.write(at as u32);
        high.write((at >> 32) as u32);
        self.control.write(TIMER_ENABLE);
    }

    fn acknowledge(&self) -> bool {
        let is_due = self.control.read() & TIMER_IS_DUE != 0;
        if is_due {
            self.control.write(0);
        }
        is_due
    }
}
