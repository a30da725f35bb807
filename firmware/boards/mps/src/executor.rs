//! An executor that sleeps with WFI.
//!
//! `embassy-executor`'s own sleeps with WFE, which QEMU does not: it spins, and with it the time
//! that counts instructions.

use core::cell::RefCell;
use core::sync::atomic::{AtomicBool, Ordering};
use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

/// State that handlers and the program share.
pub(crate) type Shared<T> = critical_section::Mutex<RefCell<T>>;

static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();

/// A task became ready since the executor was last polled.
static IS_PENDING: AtomicBool = AtomicBool::new(false);

#[unsafe(export_name = "__pender")]
fn pend(_: *mut ()) {
    IS_PENDING.store(true, Ordering::Release);
}

/// Runs the tasks that `init` spawns.
pub(crate) fn run(init: impl FnOnce(Spawner)) -> ! {
    let executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    init(executor.spawner());
    loop {
        // SAFETY: this is the only place that polls, and it is not reentrant.
        unsafe { executor.poll() };
        critical_section::with(|_| {
            // An interrupt that is held back here still ends the sleep.
            if !IS_PENDING.swap(false, Ordering::AcqRel) {
                cortex_m::asm::wfi();
            }
        });
    }
}
