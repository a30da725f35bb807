//! Arm's MPS2 with the AN386 image, a Cortex-M4F at 25 MHz, as QEMU emulates it. The regions are
//! those of `board.toml`; `memory.x` keeps the linker out of them.
#![no_std]
#![no_main]

use microtome_mps::{Machine, Peripherals, Region};

microtome_mps::machine!(Machine {
    name: "mps2-an386",
    firmware: env!("CARGO_PKG_VERSION"),
    // SAFETY: it is that board, and this the only call.
    peripherals: unsafe { Peripherals::mps2() },
    // SAFETY: SSRAM 1 is there, and the program lies elsewhere.
    plan: unsafe { Region::at(0x10_0000, 0x18_0000) },
    // SAFETY: as above.
    replay: unsafe { Region::at(0x28_0000, 0x18_0000) },
    // SAFETY: SSRAM 2 and 3 are there, and the program lies elsewhere.
    arena: unsafe { Region::at(0x2030_0000, 0x10_0000) },
    // SAFETY: the PSRAM is there, and the program lies elsewhere.
    updates: unsafe { Region::at(0x2100_0000, 0x100_0000) },
});
