//! The executor: runs a validated plan over an arena that the caller gives.
//!
//! It allocates nothing and checks nothing that [`Plan::parse`](microtome_plan::Plan::parse) has
//! checked. One call of [`Executor::step`] runs one operator, so that firmware decides what it
//! does between two of them. In the order in which they are meant to be read: [`executor`] (the
//! arena, inputs, outputs, steps), [`profile`] (who may watch the steps) and `run` (from an
//! operator to its kernel, one match arm each).
#![no_std]
#![deny(missing_docs)]

pub mod executor;
pub mod profile;
mod run;

pub use executor::{ArenaError, Executor, StepDone};
pub use profile::Profiler;
