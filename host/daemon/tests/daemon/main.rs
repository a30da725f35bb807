//! The daemon from the wire to the journal: against a board in memory, and against the simulated
//! board behind its pseudo-terminal.

mod acquire;
mod journal;
mod service;
mod session;
mod support;
