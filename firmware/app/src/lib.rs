//! The firmware application, without a board.
//!
//! A board gives its serial line, clock, memory and sensor as a [`Board`] and awaits [`run`] in
//! one task of its executor; the application does the rest and never returns. Nothing here knows
//! a board's name, allocates, or panics on what comes over the line.
//!
//! In the order in which a frame travels: [`sensor`] (frames, from silicon or from [`replay`]),
//! `schedule` (when they are due), `engine` (the plan and its arena), `acquire` (frame after frame,
//! and the cascade), [`pins`] (which tell of each frame), `held` (results until they are stored),
//! [`port`] (the link over a serial line). `plans` runs one plan after another; with each, `app`
//! answers the host's requests and `timed` runs single frames for it. `update` brings new plans
//! into [`flash`]; [`log`] holds the log until the host takes it.
#![no_std]
#![deny(missing_docs)]

mod acquire;
mod app;
mod engine;
pub mod flash;
mod held;
pub mod log;
pub mod pins;
mod plans;
pub mod port;
pub mod replay;
mod schedule;
pub mod sensor;
mod text;
mod timed;
mod update;

use embedded_io_async::{Read, Write};
use flash::{FlashPart, UpdateFlash};
use pins::Pins;
use sensor::Sensor;
use update::{NoUpdates, Updates};

/// What the application needs of a board.
#[derive(Debug)]
pub struct Board<'b, R, W, S> {
    /// Its name.
    pub name: &'static str,
    /// What tells it from others of its kind, such as its chip's number; empty where it has no
    /// such thing.
    pub unit: &'b str,
    /// Version of its firmware.
    pub firmware: &'static str,
    /// Its finest clock.
    pub clock: Clock,
    /// The bytes of the plan that it was flashed with, whatever they are.
    pub plan: &'b [u8],
    /// The bytes of its replay store, whatever they are.
    pub replay: &'b [u8],
    /// Memory for the plan's arena, and after it for one frame.
    pub memory: &'b mut [u8],
    /// Where frames come from.
    pub sensor: S,
    /// The receiving half of the line to the host.
    pub rx: R,
    /// The sending half.
    pub tx: W,
    /// Pins that tell of each frame.
    pub pins: Pins<'b>,
}

/// A board's finest clock, for timestamps and costs. (Deadlines use `embassy-time`.)
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Ticks since the board started; never less than before.
    pub now: fn() -> u64,
    /// Ticks in a second.
    pub ticks_hz: u32,
}

/// Runs the application on a board whose plan only flashing changes.
///
/// A plan that is not valid, or too large for the memory, leaves the board alive: it says why in
/// its [`Identity`](microtome_link::message::Identity).
pub async fn run<R: Read, W: Write, S: Sensor>(board: Board<'_, R, W, S>) -> ! {
    plans::run(board, async || NoUpdates).await
}

/// Runs the application on a board whose plan comes over the line, too.
///
/// [`Board::plan`] is what runs until an update has been confirmed, and where no slot has a package
/// that can be run.
pub async fn run_with_updates<R, W, S, F>(board: Board<'_, R, W, S>, flash: UpdateFlash<F>) -> !
where
    R: Read,
    W: Write,
    S: Sensor,
    F: FlashPart,
{
    plans::run(board, async || Updates::open(flash).await).await
}
