//! Arm's MPS3 with the AN547 image, a Cortex-M55 at 32 MHz, as QEMU emulates it. The regions are
//! those of `board.toml`; `memory.x` keeps the linker out of them.
#![no_std]
#![no_main]

use microtome_mps::{Machine, Peripherals, Region};

microtome_mps::machine!(Machine {
    name: "mps3-an547",
    firmware: env!("CARGO_PKG_VERSION"),
    // SAFETY: it is that board, and this the only call.
    peripherals: unsafe { Peripherals::sse_300() },
    // SAFETY: the DDR memory is there, and the program lies elsewhere.
    plan: unsafe { Region::at(0x6000_0000, 0x100_0000) },
    // SAFETY: as above.
    replay: unsafe { Region::at(0x6100_0000, 0x100_0000) },
    // SAFETY: SRAM 2 is there, and the program lies elsewhere.
    arena: unsafe { Region::at(0x2100_0000, 0x40_0000) },
});
