//! Update packages on the host: made of a plan, and signed by their owner.
//!
//! In the order of use: [`key`] (the owner's keys as files), [`golden`] (inputs where the owner has
//! none), [`mod@pack`] (from a plan and inputs to a package, and back). What a package is, byte for
//! byte, is `microtome-update`'s part; bringing one to a board is `microtome-daemon`'s.
#![deny(missing_docs)]

pub mod golden;
pub mod key;
pub mod pack;

pub use key::{KeyError, OwnerKey, PublicKey};
pub use microtome_update::write::PackageBuf;
pub use pack::{PackError, pack, plan_of, sign};
