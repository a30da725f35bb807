//! The board's clock, and `embassy-time`'s driver on it.

use crate::MACHINE;
use crate::executor::Shared;
use core::cell::RefCell;
use core::task::Waker;
use critical_section::CriticalSection;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// A clock and an alarm.
pub trait Timebase: Sync {
    /// Starts the clock.
    fn start(&self);

    /// Ticks since the start; never less than before.
    fn ticks(&self) -> u64;

    /// Makes an interrupt come when the clock reaches `at`, or before. An earlier alarm is
    /// forgotten.
    fn set_alarm(&self, at: u64);

    /// Acknowledges an interrupt; `true` when it was the alarm's, which is off then.
    fn acknowledge(&self) -> bool;
}

/// Ticks since the clock was started.
pub(crate) fn ticks() -> u64 {
    MACHINE.peripherals.timebase.ticks()
}

/// An interrupt of the clock or the alarm came.
pub(crate) fn on_interrupt() {
    critical_section::with(|cs| {
        if MACHINE.peripherals.timebase.acknowledge() {
            DRIVER.arm(cs, &mut DRIVER.queue.borrow_ref_mut(cs));
        }
    });
}

struct TimeDriver {
    queue: Shared<Queue>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: TimeDriver = TimeDriver {
    queue: Shared::new(RefCell::new(Queue::new())),
});

impl TimeDriver {
    /// Wakes what is due and sets the alarm for what is due next.
    fn arm(&self, _: CriticalSection<'_>, queue: &mut Queue) {
        loop {
            let next_us = queue.next_expiration(self.now());
            if next_us == u64::MAX {
                return;
            }
            let at = next_us.saturating_mul(ticks_per_us());
            if at > ticks() {
                MACHINE.peripherals.timebase.set_alarm(at);
                return;
            }
        }
    }
}

impl Driver for TimeDriver {
    fn now(&self) -> u64 {
        ticks() / ticks_per_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let mut queue = self.queue.borrow_ref_mut(cs);
            if queue.schedule_wake(at, waker) {
                self.arm(cs, &mut queue);
            }
        });
    }
}

fn ticks_per_us() -> u64 {
    u64::from(MACHINE.peripherals.ticks_hz) / embassy_time_driver::TICK_HZ
}
