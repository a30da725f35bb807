//! Kernels in the instructions of one instruction set, one folder each.
//!
//! A folder has a `SET` that overrides what it is faster at, and states what its target must
//! have. Only here may kernels be unsafe: every block says why it is sound. All of it is held to
//! the bits of [`crate::reference`] by `cases::check_all`, run on that instruction set.
#![allow(
    unsafe_code,
    reason = "instructions that Rust has no name for, and loops without bounds checks"
)]

#[cfg(target_arch = "aarch64")]
pub mod aarch64;
#[cfg(kernels_isa = "armv7em")]
pub mod armv7em;
#[cfg(kernels_isa = "armv81m")]
pub mod armv81m;
#[cfg(feature = "float")]
pub mod float;
pub mod patch;
pub mod scratch;
#[cfg(feature = "float")]
pub mod simd;
pub mod stack;
#[cfg(target_arch = "x86_64")]
pub mod x86_64;
