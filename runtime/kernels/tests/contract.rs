//! Every kernel set that this machine can run keeps the contract.

microtome_kernels::contract!(generic, &microtome_kernels::generic::SET);
microtome_kernels::contract!(dispatched, microtome_kernels::dispatch::best());

/// The sets that a faster one is chosen before.
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86_64 {
    use microtome_kernels::arch::x86_64::{AVX_VNNI, AVX2};
    use microtome_kernels::{KernelSet, dispatch, generic};

    microtome_kernels::contract!(avx_vnni, super::or_generic(&super::AVX_VNNI));
    microtome_kernels::contract!(avx2, super::or_generic(&super::AVX2));

    /// The set, if this processor runs it.
    fn or_generic(set: &'static KernelSet) -> &'static KernelSet {
        if dispatch::x86_64().any(|available| available.name == set.name) {
            return set;
        }
        eprintln!("skipped: this processor does not run {}", set.name);
        &generic::SET
    }
}
