//! Holds the kernel set of this board to the contract of all sets, on the emulated processor, and
//! leaves the emulator by semihosting: exit status 0, or 1 after a message that names the case.
#![no_std]
#![no_main]

#[path = "semihosting.rs"]
mod semihosting;

use core::fmt::Write as _;
use cortex_m_rt::entry;
use microtome_kernels::{cases, dispatch};

/// Cases of each operator.
const CASES: usize = 2000;

#[entry]
fn main() -> ! {
    let set = dispatch::best();
    cases::check_all(set, CASES);
    let _ = writeln!(
        semihosting::Host,
        "{}: {CASES} cases of every operator",
        set.name
    );
    semihosting::succeed()
}
