//! What an executor on the host is, and the CPU one.
//!
//! A [`Backend`] runs one plan, sample after sample, with the bits of `docs/numerics.md`. The GPU
//! executor and boards behind a link are backends of other crates.

/// Raw outputs of one sample: for each output port its int8 values in the arena's order.
pub type Outputs = Vec<Vec<i8>>;

/// An executor of one plan.
pub trait Backend: Send {
    fn name(&self) -> String;

    /// Runs a batch: for each sample the int8 values of every input port, in the arena's order.
    ///
    /// # Errors
    /// [`BackendError`] when an input has the wrong length or the executor fails.
    fn run(&mut self, samples: &[Vec<&[i8]>]) -> Result<Vec<Outputs>, BackendError>;
}

/// Why an executor gave no outputs.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A sample does not fit the plan.
    #[error("input {port} has {found} values, the plan takes {expected}")]
    InputLen {
        /// Index of the input.
        port: usize,
        /// Values that the plan takes.
        expected: usize,
        /// Values that were given.
        found: usize,
    },
    /// The executor could not be had or broke down.
    #[error("{executor}: {cause}")]
    Failed {
        /// Which executor.
        executor: &'static str,
        /// What happened and what to do.
        cause: String,
    },
}
