//! The link between board and host: messages, and the frames and reliable transport under them.
#![no_std]
#![deny(missing_docs)]

pub mod message;
