//! The update package (`.mtu`): a plan on its way into a board's flash, with what the board needs
//! to trust it.
//!
//! A package is a plan, golden vectors that the board must reproduce before it takes the plan, a
//! release number, and, where its owner signs, an ed25519 signature. It is read in place, as a plan
//! is. Every byte is hostile until [`Package::parse`] and [`Header::authorize`] have accepted it:
//! each byte is covered by the plan's digest, the package's or the signature, or must be zero.
//!
//! In the order in which they are meant to be read: [`header`] (the fixed first bytes),
//! [`package`] (the plan and the golden vectors), [`signature`] (keys, and what is signed);
//! [`write`](mod@write) makes packages and needs the feature `alloc`.
#![no_std]
#![deny(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod header;
pub mod package;
pub mod signature;
#[cfg(feature = "alloc")]
pub mod write;

pub use header::{HEADER_LEN, Header};
pub use package::{Golden, Package, PackageError};
pub use signature::{Key, Signature, SignatureError};
