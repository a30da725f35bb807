//! The service beside the instrument.
//!
//! In the order in which a result comes in: [`mod@locate`] (where a device is plugged in),
//! [`transport`] (the serial device), [`session`] (the link over it, requests and events; also what
//! runs a model on a board for the command), [`instrument`] (one acquisition: results, questions,
//! counts), [`offload`] (heavier models answer questions) on an [`executor`], `patience` (when it is
//! better not to ask), `record` (what the journal gets of it, which is a crate of its own), `keep`
//! (which frames that has), `latency` (what the log gets of how long it took), [`mod@log`] (what a
//! board tells of itself). [`mod@daemon`] runs several instruments
//! from a [`config`], [`mod@update`] brings a plan to one; the demo uses the same parts within the command.
//!
//! Everything that waits is bounded: events and questions in number, handshakes, runs and silence
//! in time. Starting emulated boards is left to `microtome-board`.
#![deny(missing_docs)]

pub mod build;
mod cascade;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod executor;
mod frames;
mod hub;
pub mod instrument;
mod keep;
mod latency;
pub mod locate;
pub mod log;
pub mod offload;
mod others;
mod patience;
pub mod plans;
mod record;
pub mod session;
pub mod stop;
pub mod transport;
pub mod update;
mod wait;

pub use config::{Config, ConfigError};
pub use daemon::{DaemonError, run};
pub use executor::{Executors, GpuPolicy};
pub use instrument::{AcquireError, Instrument, Services};
pub use keep::{FramesConfig, Keep};
pub use log::DeviceLog;
pub use microtome_api::Counts;
pub use offload::Offload;
pub use plans::{Plans, PlansError};
pub use session::{RunInput, RunOutput, Session, SessionError};
pub use stop::{Stop, Stopper, stop};
