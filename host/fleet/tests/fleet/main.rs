//! Fleets on real servers, which are killed together with everything else.
//!
//! A process that is to be killed is this program again, started with a [`roles::Role`].
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod mqtt;
mod offload;
mod plan;
mod publish;
mod results;
mod roles;
mod server;
