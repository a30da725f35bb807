//! x86-64: one algorithm over vectors of 64 bytes ([`isa`]), for three instruction sets.
//!
//! `VPDPBUSD` multiplies bytes without a sign by bytes with one. Inputs are raised by 128 to have
//! none, and 128 times the sum of a channel's weights, which the same instruction adds up, is taken
//! off again.
//!
//! In reading order: [`isa`] says what an instruction set has to do, [`avx512`] and [`avx2`] do it;
//! `stage` lays a convolution's input out, `finish` requantizes; then one file an operator.

use crate::generic;
use crate::packing::Packing;
use crate::set::KernelSet;

pub mod add;
pub mod avx2;
pub mod avx512;
pub mod conv2d;
pub mod depthwise;
mod finish;
pub mod isa;
mod stage;

use avx2::{Avx2, AvxVnni};
use avx512::Avx512;
use isa::Isa;

/// The packing of weights that the convolution reads: a vector is 16 channels of four taps.
pub const PACKING: Packing = Packing::new(16, 4);

/// The kernels over the instruction set `I`.
const fn set<I: Isa>(name: &'static str) -> KernelSet {
    KernelSet {
        name,
        conv2d: conv2d::conv2d::<I>,
        depthwise: depthwise::depthwise::<I>,
        add: add::add::<I>,
        add_in_place: add::add_in_place::<I>,
        ..generic::SET
    }
}

/// The kernel set of AVX-512 with VNNI: only for a processor that has `avx512f`, `avx512bw`,
/// `avx512dq`, `avx512vl` and `avx512vnni`.
pub const VNNI: KernelSet = set::<Avx512>("x86-64 vnni");

/// The kernel set of AVX2 with AVX-VNNI: only for a processor that has `avx2` and `avxvnni`.
pub const AVX_VNNI: KernelSet = set::<AvxVnni>("x86-64 avx-vnni");

/// The kernel set of AVX2: only for a processor that has it.
pub const AVX2: KernelSet = set::<Avx2>("x86-64 avx2");
