//! The board's log: entries wait in a bounded ring until the host takes them.
//!
//! On a target without an operating system, `info!` and `warning!` are defmt's, and the board's
//! global logger brings the encoded frames here ([`begin`], [`write()`], [`end`]). On a host there
//! is no linker script that makes defmt work, so entries are lines of text. When the ring is full
//! the newest entry is dropped and counted, and the host is told how many were.

use core::cell::RefCell;
use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use heapless::{Deque, Vec};
use microtome_link::Log;

/// Longest entry; a longer one is dropped.
pub const ENTRY_LEN_MAX: usize = 160;
const RING_LEN: usize = 2048;

/// Something was logged.
pub(crate) static NEWS: Signal<CriticalSectionRawMutex, ()> = Signal::new();

static RING: CriticalSectionMutex<RefCell<Ring>> = CriticalSectionMutex::new(RefCell::new(Ring {
    bytes: Deque::new(),
    staged: Vec::new(),
    is_too_long: false,
    dropped: 0,
}));

struct Ring {
    /// Entries, each after a byte with its length.
    bytes: Deque<u8, RING_LEN>,
    staged: Vec<u8, ENTRY_LEN_MAX>,
    is_too_long: bool,
    dropped: u32,
}

const _: () = assert!(ENTRY_LEN_MAX <= u8::MAX as usize);

/// Begins an entry. Entries must not interleave: a logger holds a critical section from here to
/// [`end`].
pub fn begin() {
    with(|ring| {
        ring.staged.clear();
        ring.is_too_long = false;
    });
}

/// Appends to the entry.
pub fn write(bytes: &[u8]) {
    with(|ring| ring.is_too_long |= ring.staged.extend_from_slice(bytes).is_err());
}

/// Ends the entry and lets the host have it.
pub fn end() {
    with(|ring| {
        let len = ring.staged.len();
        let has_room = ring.bytes.capacity() - ring.bytes.len() > len;
        if ring.is_too_long || !has_room {
            ring.dropped = ring.dropped.saturating_add(1);
            return;
        }
        let entry = core::iter::once(len as u8).chain(ring.staged.iter().copied());
        ring.bytes.extend(entry);
    });
    NEWS.signal(());
}

/// Takes the oldest entry, or the number of those that were dropped when there is none left.
pub(crate) fn take(bytes: &mut Vec<u8, ENTRY_LEN_MAX>) -> Option<Log<'_>> {
    let dropped = with(|ring| {
        bytes.clear();
        let Some(len) = ring.bytes.pop_front() else {
            return core::mem::take(&mut ring.dropped);
        };
        for _ in 0..len {
            // An entry is as long as it says, and no longer than the buffer.
            bytes.extend(ring.bytes.pop_front());
        }
        0
    });
    if dropped > 0 {
        Some(Log::Dropped(dropped))
    } else {
        (!bytes.is_empty()).then(|| entry(bytes))
    }
}

fn with<T>(act: impl FnOnce(&mut Ring) -> T) -> T {
    RING.lock(|ring| act(&mut ring.borrow_mut()))
}

#[cfg(target_os = "none")]
fn entry(bytes: &[u8]) -> Log<'_> {
    Log::Defmt(bytes)
}

#[cfg(not(target_os = "none"))]
fn entry(bytes: &[u8]) -> Log<'_> {
    Log::Text(core::str::from_utf8(bytes).unwrap_or("not text"))
}

#[cfg(target_os = "none")]
pub(crate) use defmt::{info, warn as warning};

/// Logs one line of text, on hosts.
#[cfg(not(target_os = "none"))]
pub(crate) fn line(level: &str, text: core::fmt::Arguments<'_>) {
    use core::fmt::Write as _;
    let mut line = heapless::String::<ENTRY_LEN_MAX>::new();
    // What does not fit is cut.
    let _ = write!(line, "{level} {text}");
    begin();
    write(line.as_bytes());
    end();
}

#[cfg(not(target_os = "none"))]
macro_rules! info {
    ($($argument:tt)*) => { $crate::log::line("INFO", format_args!($($argument)*)) };
}

#[cfg(not(target_os = "none"))]
macro_rules! warning {
    ($($argument:tt)*) => { $crate::log::line("WARN", format_args!($($argument)*)) };
}

#[cfg(not(target_os = "none"))]
pub(crate) use {info, warning};
