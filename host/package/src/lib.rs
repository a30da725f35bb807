//! Update packages on the host: made of a plan, signed by their owner, and held ready to be sent.
//!
//! In the order of use: [`key`] (the owner's keys as files), [`golden`] (inputs where the owner has
//! none), [`mod@pack`] (from a plan and inputs to a package, and the package's owner of bytes). What
//! a package is, byte for byte, is `microtome-update`'s part; bringing one to a board is
//! `microtome-daemon`'s.
#![deny(missing_docs)]

pub mod golden;
pub mod key;
pub mod pack;

pub use key::{KeyError, OwnerKey, PublicKey};
pub use pack::{PackError, PackageBuf, pack};
