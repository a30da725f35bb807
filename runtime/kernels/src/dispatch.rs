//! The one place that chooses a kernel set.
//!
//! A set for an instruction set lives in `arch/<isa>/` and is `generic::SET` with the kernels
//! that it is faster at; it is chosen here, by the target's features or by what the processor
//! reports, and nowhere else. Each set keeps the contract of `cases`: by `contract!` in
//! `tests/contract.rs` where the host can run it, by an emulated board's `contract` image if not.

use crate::set::KernelSet;

#[cfg(kernels_isa = "armv7em")]
use crate::arch::armv7em as fastest;
#[cfg(target_arch = "aarch64")]
use crate::arch::aarch64;
#[cfg(not(any(kernels_isa = "armv7em", target_arch = "aarch64")))]
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
    &fastest::SET
}

/// The fastest kernel set of this machine.
#[cfg(target_arch = "aarch64")]
pub fn best() -> &'static KernelSet {
    aarch64_sets().last().unwrap_or(&&aarch64::NEON)
}

/// The kernel sets that this core has the instructions of, from slow to fast.
#[cfg(target_arch = "aarch64")]
pub fn aarch64_sets() -> &'static [&'static KernelSet] {
    const SETS: [&KernelSet; 3] = [&aarch64::NEON, &aarch64::DOTPROD, &aarch64::I8MM];
    let has_dotprod = aarch64_has!("dotprod");
    let count = match (has_dotprod, has_dotprod && aarch64_has!("i8mm")) {
        (_, true) => 3,
        (true, _) => 2,
        _ => 1,
    };
    &SETS[..count]
}
