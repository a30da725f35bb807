//! The one place that chooses a kernel set.
//!
//! A set for an instruction set lives in `arch/<isa>/` and is `generic::SET` with the kernels
//! that it is faster at; it is chosen here, by the target's features or by what the processor
//! reports, and nowhere else. Each set keeps the contract of `cases`: by `contract!` in
//! `tests/contract.rs` where the host can run it, by an emulated board's `contract` image if not.

use crate::set::KernelSet;

#[cfg(target_arch = "aarch64")]
use crate::arch::aarch64;
#[cfg(kernels_isa = "armv7em")]
use crate::arch::armv7em as fastest;
#[cfg(kernels_isa = "armv81m")]
use crate::arch::armv81m as fastest;
#[cfg(not(any(
    kernels_isa = "armv7em",
    kernels_isa = "armv81m",
    target_arch = "aarch64"
)))]
use crate::generic as fastest;

/// Whether the core has a feature: as the operating system tells, or without one the build.
#[cfg(target_arch = "aarch64")]
macro_rules! aarch64_has {
    ($feature:tt) => {{
        #[cfg(feature = "std")]
        let has = std::arch::is_aarch64_feature_detected!($feature);
        #[cfg(not(feature = "std"))]
        let has = cfg!(target_feature = $feature);
        has
    }};
}

/// The sets for x86-64 that this processor runs, the fastest first.
#[cfg(all(target_arch = "x86_64", feature = "std", not(miri)))]
pub fn x86_64() -> impl Iterator<Item = &'static KernelSet> {
    use crate::arch::x86_64;
    macro_rules! has {
        ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
    }
    let has_avx2 = has!("avx2", "fma");
    let has_vnni = has!("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni");
    let sets = [
        (&x86_64::VNNI, has_vnni),
        (&x86_64::AVX_VNNI, has_avx2 && has!("avxvnni")),
        (&x86_64::AVX2, has_avx2),
    ];
    sets.into_iter().filter_map(|(set, has)| has.then_some(set))
}

/// The fastest kernel set of this machine.
#[cfg(not(target_arch = "aarch64"))]
pub fn best() -> &'static KernelSet {
    #[cfg(all(target_arch = "x86_64", feature = "std", not(miri)))]
    if let Some(set) = x86_64().next() {
        return set;
    }
    &fastest::SET
}

/// The fastest kernel set of this machine.
#[cfg(target_arch = "aarch64")]
pub fn best() -> &'static KernelSet {
    match [aarch64_has!("dotprod"), aarch64_has!("i8mm")] {
        [true, true] => &aarch64::I8MM,
        [true, false] => &aarch64::DOTPROD,
        _ => &aarch64::NEON,
    }
}
