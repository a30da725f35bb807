//! defmt's global logger: frames go to the application, which sends them over the link.

use core::cell::Cell;
use critical_section::{Mutex, RestoreState};

#[defmt::global_logger]
struct Logger;

/// How interrupts were before the frame under way; `None` while there is none.
static FRAME: Mutex<Cell<Option<RestoreState>>> = Mutex::new(Cell::new(None));

defmt::timestamp!("{=u64:us}", embassy_time_driver::now());

// SAFETY: a critical section is held from `acquire` to `release`, so that frames do not
// interleave; a second `acquire` within it panics, as the trait demands.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: it is released in `release`, which defmt calls once for each `acquire`.
        let state = unsafe { critical_section::acquire() };
        critical_section::with(|cs| {
            let outer = FRAME.borrow(cs).replace(Some(state));
            assert!(outer.is_none(), "a log entry within a log entry");
        });
        microtome_app::log::begin();
    }

    unsafe fn flush() {}

    unsafe fn write(bytes: &[u8]) {
        microtome_app::log::write(bytes);
    }

    unsafe fn release() {
        microtome_app::log::end();
        let state = critical_section::with(|cs| FRAME.borrow(cs).take());
        if let Some(state) = state {
            // SAFETY: `state` is that of the one `acquire` that is not released yet.
            unsafe { critical_section::release(state) };
        }
    }
}
