//! x86-64: one algorithm over vectors of 64 bytes (`isa`), for three instruction sets.
//!
//! `VPDPBUSD` multiplies bytes without a sign by bytes with one. Inputs are raised by 128 to have
//! none, and 128 times the sum of a channel's weights, which the same instruction adds up, is taken
//! off again.
//!
//! In reading order: `isa` says what an instruction set has to do, `avx512` and `avx2` do it;
//! `stage` lays a convolution's input out, `finish` requantizes; then one file an operator. `float`
//! has the kernels of floats.

use crate::generic;
use crate::packing::Packing;
use crate::set::KernelSet;

mod add;
mod average_pool;
mod avx2;
mod avx512;
mod conv2d;
mod depthwise;
mod finish;
#[cfg(feature = "float")]
pub(super) mod float;
mod isa;
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
        average_pool: average_pool::average_pool::<I>,
        add: add::add::<I>,
        add_in_place: add::add_in_place::<I>,
        ..generic::SET
    }
}

/// The kernel set of AVX-512 with VNNI: only for a processor that has `avx512f`, `avx512bw`,
/// `avx512dq`, `avx512vl` and `avx512vnni`.
pub const VNNI: KernelSet = KernelSet {
    #[cfg(feature = "float")]
    float: float::AVX512,
    ..set::<Avx512>("x86-64 vnni")
};

/// The kernel set of AVX2 with AVX-VNNI: only for a processor that has `avx2`, `fma` and
/// `avxvnni`.
pub const AVX_VNNI: KernelSet = KernelSet {
    #[cfg(feature = "float")]
    float: float::AVX2,
    ..set::<AvxVnni>("x86-64 avx-vnni")
};

/// The kernel set of AVX2: only for a processor that has `avx2` and `fma`.
pub const AVX2: KernelSet = KernelSet {
    #[cfg(feature = "float")]
    float: float::AVX2,
    ..set::<Avx2>("x86-64 avx2")
};

#[cfg(all(test, feature = "std", not(miri)))]
mod tests {
    use super::{Avx2, Avx512, AvxVnni, Isa, conv2d, depthwise, set};
    use crate::reference::conv2d::{Conv2d, ConvConstants};
    use crate::reference::depthwise::Depthwise;
    use crate::set::KernelSet;
    use crate::{cases, dispatch};

    /// So few that rows are cut: cases with more rows and columns have several bands and strips.
    const ROOM: usize = 3000;

    fn conv2d_in_little_room<I: Isa>(
        params: &Conv2d,
        constants: &ConvConstants<'_>,
        input: &[i8],
        scratch: &mut [u8],
        output: &mut [i8],
    ) {
        let len = 100 + scratch.len() % 400;
        conv2d::within::<I>(params, constants, input, &mut [7; ROOM][..len], output);
    }

    fn depthwise_in_little_room<I: Isa>(
        params: &Depthwise,
        constants: &ConvConstants<'_>,
        input: &[i8],
        _scratch: &mut [u8],
        output: &mut [i8],
    ) {
        depthwise::within::<I>(params, constants, input, &mut [7; ROOM], output);
    }

    const fn in_little_room<I: Isa>(name: &'static str) -> KernelSet {
        KernelSet {
            conv2d: conv2d_in_little_room::<I>,
            depthwise: depthwise_in_little_room::<I>,
            ..set::<I>(name)
        }
    }

    #[test]
    fn bands_and_strips_have_the_bits_of_the_whole() {
        let sets = [
            in_little_room::<Avx512>(super::VNNI.name),
            in_little_room::<AvxVnni>(super::AVX_VNNI.name),
            in_little_room::<Avx2>(super::AVX2.name),
        ];
        for set in sets {
            if dispatch::x86_64().all(|available| available.name != set.name) {
                std::eprintln!("skipped: this processor does not run {}", set.name);
                continue;
            }
            cases::repeat(&set, cases::conv2d, 4000);
            cases::repeat(&set, cases::depthwise, 4000);
        }
    }
}
