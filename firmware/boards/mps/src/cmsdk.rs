//! A clock and an alarm of two CMSDK APB timers.
//!
//! One counts down from 2^32 − 1, over and over, and its wraps are counted: that is the clock. The
//! other rings once for the alarm.

use crate::executor::Shared;
use crate::register::Register;
use crate::time::Timebase;
use core::cell::RefCell;

const ENABLE: u32 = 1 << 0;
const INTERRUPT_ENABLE: u32 = 1 << 3;

struct Timer {
    control: Register,
    value: Register,
    reload: Register,
    /// Reads as 1 after the counter reached zero; writing 1 clears it.
    interrupt: Register,
}

impl Timer {
    /// # Safety
    /// A CMSDK APB timer must be at `base`.
    const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller vouches for the timer; these are its registers.
        unsafe {
            Self {
                control: Register::at(base),
                value: Register::at(base + 0x4),
                reload: Register::at(base + 0x8),
                interrupt: Register::at(base + 0xC),
            }
        }
    }

    fn start(&self, ticks: u32) {
        self.control.write(0);
        self.interrupt.write(1);
        self.reload.write(ticks);
        self.value.write(ticks);
        self.control.write(ENABLE | INTERRUPT_ENABLE);
    }

    /// Whether it has rung since this was asked last.
    fn has_rung(&self) -> bool {
        let has_rung = self.interrupt.read() != 0;
        if has_rung {
            self.interrupt.write(1);
        }
        has_rung
    }
}

/// The clock and the alarm.
pub struct CmsdkTimers {
    counter: Timer,
    alarm: Timer,
    /// Wraps of the counter.
    wraps: Shared<u32>,
}

impl CmsdkTimers {
    /// The clock on the timer at `counter`, the alarm on the one at `alarm`.
    ///
    /// # Safety
    /// CMSDK APB timers must be there, and nothing else may use them.
    pub const unsafe fn at(counter: usize, alarm: usize) -> Self {
        // SAFETY: the caller vouches for the timers.
        let (counter, alarm) = unsafe { (Timer::at(counter), Timer::at(alarm)) };
        let wraps = Shared::new(RefCell::new(0));
        Self {
            counter,
            alarm,
            wraps,
        }
    }
}

impl Timebase for CmsdkTimers {
    fn start(&self) {
        self.counter.start(u32::MAX);
    }

    fn ticks(&self) -> u64 {
        critical_section::with(|cs| {
            let wraps = *self.wraps.borrow_ref(cs);
            let before = !self.counter.value.read();
            let is_pending = self.counter.interrupt.read() != 0;
            let after = !self.counter.value.read();
            // A wrap that is not counted yet. Zero itself still belongs to the old round.
            let low = if is_pending { after } else { before };
            let is_new = is_pending && low < u32::MAX / 2;
            u64::from(wraps + u32::from(is_new)) << 32 | u64::from(low)
        })
    }

    fn set_alarm(&self, at: u64) {
        let left = at.saturating_sub(self.ticks());
        // What is farther away than the timer reaches is looked at again then.
        self.alarm.start(left.clamp(1, u32::MAX.into()) as u32);
    }

    fn acknowledge(&self) -> bool {
        critical_section::with(|cs| {
            if self.counter.has_rung() {
                *self.wraps.borrow_ref_mut(cs) += 1;
            }
            let has_rung = self.alarm.has_rung();
            if has_rung {
                self.alarm.control.write(0);
            }
            has_rung
        })
    }
}
