//! The daemon's HTTP API: devices, results as pages and as a stream, plans, metrics.
//!
//! In the order in which a request passes: [`server`] (sockets, TLS, limits of connections),
//! `guard` (which host it is meant for, whose it is, how often), [`routes`] (what is asked, one
//! file a subject), [`hub`] and [`host`] (what the daemon tells and does), `pages` (what is read
//! from the journal). Beside them: [`config`], [`token`], [`tls`], [`input`] (bodies that become
//! a plan's input), `metrics`, [`problem`] (every error's form).
//!
//! Nothing of a request is believed: what it may cost is bounded by [`config::Limits`] and by the
//! constants of the file that it passes, all of which docs/api.md lists. The journal is the only
//! source of results: the stream reads it too, so that a subscriber who is slow, or comes back,
//! misses nothing and gets nothing twice.
#![deny(missing_docs)]

pub mod config;
mod counts;
mod guard;
pub mod host;
pub mod hub;
pub mod input;
mod metrics;
mod pages;
pub mod problem;
mod rate;
pub mod routes;
pub mod server;
mod state;
pub mod tls;
pub mod token;

pub use config::{ApiConfig, Limits};
pub use counts::Counts;
pub use host::{Host, NoRun, Ran};
pub use hub::{Board, Command, CommandError, Device, Hub, Request, Status, Wanted};
pub use server::{ApiError, Server};
pub use token::{Scope, TokenError};
