//! The journal of results: each once, durable before it is acknowledged, with its provenance, and
//! chained by hashes so that a change is found; with frames, where the daemon keeps them.
//!
//! In the order in which a result passes: [`mod@record`] (what is written down), [`mod@entry`] (it
//! and the identity by which a repetition is known), [`mod@frame`] (a frame that is kept with it),
//! [`mod@journal`] (the handle that devices share), `writer` (one thread, many results a commit,
//! patience with a full disk), `store` (tables in one file, a redb database) on a [`medium`],
//! [`retention`] (what is removed again). For those who read: [`reader`], [`mod@audit`] and
//! [`export`]; [`outbox`] for those who pass results on.
//!
//! What a board says to be acknowledged, and how, is left to the daemon.
#![deny(missing_docs)]

pub mod audit;
pub mod entry;
pub mod error;
pub mod export;
pub mod frame;
pub mod hash;
pub mod journal;
pub mod medium;
pub mod outbox;
pub mod reader;
pub mod record;
pub mod retention;
mod store;
mod writer;

pub use audit::{Audit, Break, Difference, audit};
pub use entry::{Entry, Outcome};
pub use error::{Fault, JournalError};
pub use export::{ExportError, ExportedFrames, Filter, Format, FrameFormat, export, export_frames};
pub use frame::{Frame, KeptFrame};
pub use hash::Hash;
pub use journal::{Journal, Refused};
pub use medium::{FileMedium, Medium};
pub use outbox::{Cursor, Outbox, OutboxInUse};
pub use reader::Reader;
pub use record::{Calibration, Provenance, Record, Sealed};
pub use retention::Retention;
