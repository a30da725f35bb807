//! AArch64: Arm's 64-bit cores, from Cortex-A53 on, in three sets of one algorithm.
//!
//! All have NEON ([`NEON`]); most since 2018 multiply bytes by fours (`SDOT`, [`DOTPROD`]), most
//! since 2021 by blocks of 2 × 8 and 8 × 2 ([`I8MM`]). The compiler packs weights as [`PACKING`];
//! other packings go to [`generic`]. A set may only run where its instructions are: that is for
//! `dispatch` to see to.
//!
//! In reading order: [`conv2d`] collects what output pixels read, `dot` has the inner loops,
//! `finish` requantizes; [`depthwise`] has all of its own but that.

use crate::generic;
use crate::packing::Packing;
use crate::set::KernelSet;

pub mod conv2d;
pub mod depthwise;
mod dot;
mod finish;
#[cfg(feature = "float")]
pub mod float;

/// The packing of weights that these kernels are for.
pub const PACKING: Packing = Packing::new(finish::LANES as u8, dot::TAPS as u8);

/// For every AArch64 core.
pub const NEON: KernelSet = KernelSet {
    name: "aarch64 neon",
    conv2d: conv2d::conv2d::<dot::Neon>,
    depthwise: depthwise::depthwise,
    #[cfg(feature = "float")]
    float: float::NEON,
    ..generic::SET
};

/// For cores with FEAT_DotProd.
pub const DOTPROD: KernelSet = KernelSet {
    name: "aarch64 dotprod",
    conv2d: conv2d::conv2d::<dot::DotProd>,
    ..NEON
};

/// For cores with FEAT_DotProd and FEAT_I8MM.
pub const I8MM: KernelSet = KernelSet {
    name: "aarch64 i8mm",
    conv2d: conv2d::conv2d::<dot::I8mm>,
    ..NEON
};
