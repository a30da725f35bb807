//! The daemon from the wire to the journal: against a board in memory, and against the simulated
//! board behind its pseudo-terminal.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod acquire;
mod journal;
mod offload;
mod service;
mod session;
mod support;
