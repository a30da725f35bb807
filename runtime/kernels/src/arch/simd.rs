//! Portable code, compiled once more for wider vectors.
//!
//! Loops over floats are written so that LLVM vectorises them. Within [`Simd::run`] it does so with
//! the vectors named there, where the code is inlined: a kernel's functions are
//! `#[inline(always)]` for that.

#[cfg(target_arch = "x86_64")]
use super::x86_64::float;

/// Code that is compiled for several kinds of vectors.
pub trait Kernel {
    /// Runs it. `#[inline(always)]`, as all that it calls and that is to be compiled with it: LLVM
    /// inlines nothing else that has several callers.
    fn run(self);
}

/// Vectors that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Simd {
    /// Those of every processor of the target.
    Baseline,
    /// AVX2 and FMA: only for a processor that has them, as [`crate::dispatch`] asks.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512: only for a processor that has `avx512f`, `avx512bw` and `avx512vl`.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// Runs `kernel`, compiled for these vectors.
    #[inline(always)]
    pub fn run(self, kernel: impl Kernel) {
        match self {
            Self::Baseline => kernel.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: whoever chose this set made sure that the processor has the instructions.
            Self::Avx2 => unsafe { float::with_avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { float::with_avx512(kernel) },
        }
    }
}
