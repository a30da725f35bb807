//! Arm's MPS3 with the AN547 image, a Cortex-M55 at 32 MHz, as QEMU emulates it. The addresses
//! and interrupts are those of its application note, the regions those of `board.toml`.
#![no_std]
#![no_main]

use microtome_mps::Machine;
use microtome_mps::region::Region;
use microtome_mps::sse::SseTimer;
use microtome_mps::uart::Uart;

// SAFETY: the SSE-300's counter and its timer 0 are there, and only used as this.
static TIMEBASE: SseTimer = unsafe { SseTimer::at(0x5810_0000, 0x5800_0000) };

microtome_mps::machine!(Machine {
    name: "mps3-an547",
    firmware: env!("CARGO_PKG_VERSION"),
    // SAFETY: UART 0 is there, and only used as this.
    uart: unsafe { Uart::at(0x5930_3000) },
    uart_interrupts: &[33, 34],
    timebase: &TIMEBASE,
    timebase_interrupts: &[3],
    ticks_hz: 32_000_000,
    // SAFETY: the DDR memory is there, and `memory.x` keeps the linker out of it.
    plan: unsafe { Region::at(0x6000_0000, 0x100_0000) },
    // SAFETY: as above.
    replay: unsafe { Region::at(0x6100_0000, 0x100_0000) },
    // SAFETY: SRAM 2 is there, and `memory.x` keeps the linker out of it.
    arena: unsafe { Region::at(0x2100_0000, 0x40_0000) },
});
