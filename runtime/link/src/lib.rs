//! The link between board and host: messages, and the frames and reliable transport under them.
//!
//! Both ends use this crate unchanged. It does no I/O and reads no clock: bytes and times are
//! given to [`Link`], and bytes, events and deadlines are taken from it. In the order in which a
//! message travels: [`message`] and [`update`] (what is said), `sender` (the window of messages on their way),
//! [`frame`] (one message or acknowledgement as bytes), `receiver` (order and duplicates), then
//! `session` (both halves, and restarts of either side) and [`Link`] over all of them.
#![no_std]
#![deny(missing_docs)]

pub mod frame;
mod link;
pub mod message;
mod receiver;
mod sender;
mod session;
mod timeout;
pub mod update;

pub use frame::FRAME_LEN_MAX;
pub use link::{Event, Link, LinkEnd, SendError, Stats};
pub use message::{Log, Malformed, Message, PROTOCOL, Received, ToBoard, ToHost};

/// Messages that an end has under way or waiting at most, and as many in its receive buffer, unless
/// it is a [`LinkEnd`] of another size.
pub const WINDOW: usize = 4;
/// Largest window of any end: a frame has eight bits to say what has arrived.
pub const WINDOW_MAX: usize = 8;
