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

/// The fastest kernel set of this machine.
#[cfg(not(target_arch = "aarch64"))]
pub fn best() -> &'static KernelSet {
    #[cfg(all(target_arch = "x86_64", feature = "std", not(miri)))]
    {
        let has_vnni = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vnni");
        if has_vnni {
            return &crate::arch::x86_64::VNNI;
        }
        #[cfg(feature = "float")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
        {
            return &crate::arch::x86_64::AVX2;
        }
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
