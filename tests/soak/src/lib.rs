//! Attacks on boards and daemons as they are: processes of this computer, faults between them, and
//! a judge of what the journal has afterwards.
//!
//! In the order of an attack: [`bench`] (plans, frames, [`daemon`], and boards), each behind a
//! [`wire`] that does [`damage`] and whose [`tap`] notes what either side said before that; the
//! [`attacks`]; then the [`judge`], who compares the journal with what was noted and with a
//! [`reference`](mod@reference) run without faults; and the [`report`].
//!
//! What a board produced and what the daemon acknowledged is read from the undamaged side of the
//! wire by a decoder of its own: neither the board nor the daemon is asked.
#![deny(missing_docs)]

pub mod attacks;
pub mod bench;
pub mod daemon;
pub mod damage;
pub mod frames;
pub mod judge;
pub mod pty;
pub mod reference;
pub mod report;
pub mod tap;
pub mod wire;

pub use attacks::Attack;
pub use bench::{Bench, Setup};
pub use report::Row;
