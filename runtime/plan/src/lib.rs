//! The plan: a model compiled for an executor, in one file (`.mtp`).
//!
//! A plan is read in place: weights stay where the bytes are (flash, a mapped file), and nothing
//! is copied but small values. Every byte is hostile until [`Plan::parse`] has accepted it; after
//! that, executors rely on it and check nothing again.
//!
//! In the order in which they are meant to be read: [`header`] (the fixed first bytes),
//! [`manifest`] (what the plan is for, its inputs and outputs), [`op`] (one step each), and
//! [`mod@plan`] (parsing and validation); [`target`] says how weights are packed for whom.
//! [`write`](mod@write) makes plans, [`mod@repack`] makes them anew; both need the feature `alloc`.
#![no_std]
#![deny(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(target_endian = "big")]
compile_error!("a plan's constants are used in place and are little-endian");

pub mod error;
pub mod header;
mod linked;
pub mod manifest;
pub mod op;
pub mod plan;
#[cfg(feature = "alloc")]
pub mod repack;
pub mod target;
mod validate;
#[cfg(feature = "alloc")]
pub mod write;

pub use error::{Fault, PlanError};
pub use header::{Digest, Header};
pub use manifest::{Cascade, Labels, Manifest, ModelType, Port, Task};
pub use microtome_kernels::Element;
pub use op::{ArenaAt, ConstAt, Op, OperandAt, Spans, Step};
pub use plan::{Plan, Steps};
#[cfg(feature = "alloc")]
pub use repack::repack;
pub use target::Target;
#[cfg(feature = "alloc")]
pub use write::{PlanBuf, encode};
