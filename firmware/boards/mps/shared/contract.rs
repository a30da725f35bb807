//! Holds the kernel set of this board to the contract of all sets, on the emulated processor, and
//! leaves the emulator by semihosting: exit status 0, or 1 after a message that names the case.
#![no_std]
#![no_main]

use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use cortex_m_rt::entry;
use microtome_kernels::{cases, dispatch};

/// Cases of each operator.
const CASES: usize = 2000;

#[entry]
fn main() -> ! {
    let set = dispatch::best();
    cases::check_all(set, CASES);
    let _ = writeln!(Host, "{}: {CASES} cases of every operator", set.name);
    exit(STOPPED_BY_APPLICATION)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Host, "{info}");
    exit(STOPPED_BY_ERROR)
}

const WRITE_CHARACTER: usize = 0x03;
const EXIT: usize = 0x18;
const STOPPED_BY_APPLICATION: usize = 0x2_0026;
const STOPPED_BY_ERROR: usize = 0x2_0023;

/// The console of whoever runs the emulator.
struct Host;

impl Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            call(WRITE_CHARACTER, &raw const byte as usize);
        }
        Ok(())
    }
}

fn exit(reason: usize) -> ! {
    loop {
        call(EXIT, reason);
    }
}

/// Asks the emulator for a service; both that are used here change nothing in memory.
fn call(service: usize, argument: usize) {
    // SAFETY: the emulator takes the breakpoint as a call, reads what the argument points to and
    // goes on with the result in r0.
    unsafe { asm!("bkpt 0xab", inout("r0") service => _, in("r1") argument) };
}
