//! Arm's MPS2 with the AN386 image, a Cortex-M4F at 25 MHz, as QEMU emulates it. The addresses
//! and interrupts are those of its application note, the regions those of `board.toml`.
#![no_std]
#![no_main]

use microtome_mps::Machine;
use microtome_mps::cmsdk::CmsdkTimers;
use microtome_mps::region::Region;
use microtome_mps::uart::Uart;

// SAFETY: timers 0 and 1 are there, and only used as this.
static TIMEBASE: CmsdkTimers = unsafe { CmsdkTimers::at(0x4000_0000, 0x4000_1000) };

microtome_mps::machine!(Machine {
    name: "mps2-an386",
    firmware: env!("CARGO_PKG_VERSION"),
    // SAFETY: UART 0 is there, and only used as this.
    uart: unsafe { Uart::at(0x4000_4000) },
    uart_interrupts: &[0, 1],
    timebase: &TIMEBASE,
    timebase_interrupts: &[8, 9],
    ticks_hz: 25_000_000,
    // SAFETY: SSRAM 1 is there, and `memory.x` keeps the linker out of it.
    plan: unsafe { Region::at(0x10_0000, 0x18_0000) },
    // SAFETY: as above.
    replay: unsafe { Region::at(0x28_0000, 0x18_0000) },
    // SAFETY: SSRAM 2 and 3 are there, and `memory.x` keeps the linker out of it.
    arena: unsafe { Region::at(0x2030_0000, 0x10_0000) },
});
