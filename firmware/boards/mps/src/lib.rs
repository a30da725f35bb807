//! What Arm's MPS2 and MPS3 boards have in common, as QEMU emulates them: the program around the
//! firmware application.
//!
//! A board is one static [`Machine`], which [`machine!`] makes known: its name, and where its memory
//! is. All else is here, in the order of the hardware: `register` (memory-mapped peripherals),
//! `region` (memory that the linker leaves alone), `cmsdk` and `sse` (the two kinds of timers),
//! `time` (`embassy-time` over either), `flash` (for updates), `uart` (the line to the host), `led`
//! (pins), `peripherals` (which of them a board has), `log` (defmt), `executor` (sleep) and `program`
//! (entry, interrupts, panics).
//!
//! `shared/` has what the boards' packages build beside it: their build script, and the contract of
//! kernels as a program for the emulator. On a host this crate is empty.
#![no_std]
#![cfg(target_os = "none")]
#![deny(missing_docs)]
#![allow(unsafe_code, reason = "these are the peripherals")]

mod cmsdk;
mod executor;
#[cfg(feature = "updates")]
mod flash;
mod led;
mod log;
mod peripherals;
mod program;
mod region;
mod register;
mod sse;
mod time;
mod uart;

pub use peripherals::Peripherals;
pub use region::Region;

/// A board.
pub struct Machine {
    /// Its name, which is that of its folder.
    pub name: &'static str,
    /// Version of its firmware.
    pub firmware: &'static str,
    /// What it has beside processor and memory.
    pub peripherals: Peripherals,
    /// Where plans are put.
    pub plan: Region,
    /// Where replay stores are put.
    pub replay: Region,
    /// Memory for the arena and a frame. Nothing else uses it.
    pub arena: Region,
    /// Memory that stands for flash for updates, of 9 MiB or more. Nothing else uses it.
    #[cfg(feature = "updates")]
    pub updates: Region,
}

/// Makes a [`Machine`] the one that this crate runs on. A board does so once.
#[macro_export]
macro_rules! machine {
    ($machine:expr) => {
        #[unsafe(export_name = "microtome_mps_machine")]
        static MACHINE: $crate::Machine = $machine;
    };
}

// SAFETY: the linker finds one symbol of this name or fails, and `machine!` gives it this type.
unsafe extern "Rust" {
    #[link_name = "microtome_mps_machine"]
    safe static MACHINE: Machine;
}
