//! The clock, and `embassy-time`'s driver, on two CMSDK APB timers.
//!
//! Timer 0 counts down from 2^32 − 1, over and over, and its wraps are counted: that is the
//! board's clock. Timer 1 rings once for the next deadline.

use crate::executor::Shared;
use crate::register::Register;
use core::cell::RefCell;
use core::task::Waker;
use critical_section::CriticalSection;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Rate of the board's clock.
pub const TICKS_HZ: u32 = 25_000_000;

const TICKS_PER_US: u64 = TICKS_HZ as u64 / embassy_time_driver::TICK_HZ;

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
}

// SAFETY: the application note has timers 0 and 1 at these addresses.
static COUNTER: Timer = unsafe { Timer::at(0x4000_0000) };
// SAFETY: as above.
static ALARM: Timer = unsafe { Timer::at(0x4000_1000) };

/// Wraps of the counter.
static WRAPS: Shared<u32> = Shared::new(RefCell::new(0));

/// Starts the clock.
pub fn start() {
    COUNTER.start(u32::MAX);
}

/// Ticks since [`start`].
pub fn ticks() -> u64 {
    critical_section::with(|cs| {
        let wraps = *WRAPS.borrow_ref(cs);
        let before = !COUNTER.value.read();
        let is_pending = COUNTER.interrupt.read() != 0;
        let after = !COUNTER.value.read();
        // A wrap that is not counted yet. Zero itself still belongs to the old round.
        let low = if is_pending { after } else { before };
        let is_new = is_pending && low < u32::MAX / 2;
        u64::from(wraps + u32::from(is_new)) << 32 | u64::from(low)
    })
}

/// The counter reached zero.
pub fn on_wrap() {
    critical_section::with(|cs| {
        COUNTER.interrupt.write(1);
        *WRAPS.borrow_ref_mut(cs) += 1;
    });
}

/// The alarm rang.
pub fn on_alarm() {
    critical_section::with(|cs| {
        ALARM.control.write(0);
        ALARM.interrupt.write(1);
        DRIVER.arm(cs, &mut DRIVER.queue.borrow_ref_mut(cs));
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
            let left = next_us.saturating_mul(TICKS_PER_US).saturating_sub(ticks());
            if left > 0 {
                // A deadline that is farther away than the timer reaches is looked at again then.
                ALARM.start(left.min(u32::MAX.into()) as u32);
                return;
            }
        }
    }
}

impl Driver for TimeDriver {
    fn now(&self) -> u64 {
        ticks() / TICKS_PER_US
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
