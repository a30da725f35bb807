//! The contract of kernels on RISC-V, as a program of QEMU's user mode: it needs no machine, and
//! two calls of Linux are all that it asks for. Exit status 0, or 1 after a message.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use microtome_kernels::{cases, dispatch};

/// Cases of each operator.
const CASES: usize = 2000;
const WRITE: usize = 64;
const EXIT: usize = 93;
const STANDARD_ERROR: usize = 2;

// The emulator has set the stack up.
global_asm!(".globl _start", "_start:", "call run");

#[unsafe(no_mangle)]
extern "C" fn run() -> ! {
    let set = dispatch::best();
    cases::check_all(set, CASES);
    let _ = writeln!(Host, "{}: {CASES} cases of every operator", set.name);
    exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Host, "{info}");
    exit(1)
}

struct Host;

impl Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        call(WRITE, [STANDARD_ERROR, text.as_ptr() as usize, text.len()]);
        Ok(())
    }
}

fn exit(status: usize) -> ! {
    loop {
        call(EXIT, [status, 0, 0]);
    }
}

/// A call that changes nothing in memory.
fn call(number: usize, [a, b, c]: [usize; 3]) {
    // SAFETY: both calls that are made here read what they are given, and change a0 alone.
    unsafe { asm!("ecall", in("a7") number, inout("a0") a => _, in("a1") b, in("a2") c) };
}
