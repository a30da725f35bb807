//! Every kernel set that this machine can run keeps the contract.

microtome_kernels::contract!(generic, &microtome_kernels::generic::SET);
microtome_kernels::contract!(dispatched, microtome_kernels::dispatch::best());

/// Of the sets of AArch64, those below the one that is dispatched.
#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use microtome_kernels::arch::aarch64;
    microtome_kernels::contract!(neon, &aarch64::NEON);
}
