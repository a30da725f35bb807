//! A program that the emulator runs to its end: what it says, and how it ends. A panic is exit
//! status 1 after its message.

use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

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
pub struct Host;

impl Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            call(WRITE_CHARACTER, &raw const byte as usize);
        }
        Ok(())
    }
}

/// Ends the emulator with exit status 0.
pub fn succeed() -> ! {
    exit(STOPPED_BY_APPLICATION)
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
