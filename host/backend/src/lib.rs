//! What an executor on the host is, and the CPU one.
//!
//! A [`Backend`] runs one plan, sample after sample, with the bits of `docs/numerics.md`. The GPU
//! executor and boards behind a link are backends of other crates; turning a model's tensors into
//! such bytes is the caller's part.
#![deny(missing_docs)]

mod cpu;
pub mod rise;

pub use cpu::CpuBackend;

use microtome_plan::Manifest;
use std::sync::Arc;
use std::time::Instant;

/// Raw inputs of one sample: for each input port its bytes in the arena's order.
pub type Inputs<'a> = Vec<&'a [u8]>;

/// Raw outputs of one sample: for each output port its bytes in the arena's order.
pub type Outputs = Vec<Vec<u8>>;

/// One sample's outputs, from an executor whose samples are not all run by the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The outputs.
    pub outputs: Outputs,
    /// What ran the sample, for people and journals; `None` is the executor itself.
    pub executor: Option<Arc<str>>,
}

/// An executor of one plan.
pub trait Backend: Send {
    /// The executor and what it runs on, for people and journals: `gpu (llvmpipe)`.
    fn name(&self) -> String;

    /// Samples in a batch from which the executor still gains.
    fn batch_max(&self) -> usize {
        1
    }

    /// Runs a batch and gives the outputs of each sample, in the order of the samples.
    ///
    /// # Errors
    /// [`BackendError`] when an input does not fit the plan (nothing has run then) or the executor
    /// fails.
    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError>;

    /// Runs a batch for whose answers nobody waits beyond `deadline`, and says what ran each
    /// sample. An executor on this computer takes no notice of the deadline.
    ///
    /// # Errors
    /// As [`Backend::run`].
    fn run_by(
        &mut self,
        samples: &[Inputs<'_>],
        deadline: Instant,
    ) -> Result<Vec<Answered>, BackendError> {
        let _ = deadline;
        let answered = self.run(samples)?.into_iter().map(|outputs| Answered {
            outputs,
            executor: None,
        });
        Ok(answered.collect())
    }
}

/// Why an executor gave no outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// A sample has not as many inputs as the plan.
    #[error("sample {sample} has {found} inputs, the plan takes {expected}")]
    InputCount {
        /// Index of the sample in the batch.
        sample: usize,
        /// Inputs that the plan takes.
        expected: usize,
        /// Inputs that were given.
        found: usize,
    },
    /// An input has not as many bytes as the plan's port.
    #[error("input {port} of sample {sample} has {found} bytes, the plan takes {expected}")]
    InputLen {
        /// Index of the sample in the batch.
        sample: usize,
        /// Index of the input.
        port: usize,
        /// Bytes that the plan takes.
        expected: usize,
        /// Bytes that were given.
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

/// Checks that every sample fits the plan's inputs; what every backend does first.
///
/// # Errors
/// The first input that does not fit.
pub fn check_inputs(manifest: &Manifest<'_>, samples: &[Inputs<'_>]) -> Result<(), BackendError> {
    for (sample, inputs) in samples.iter().enumerate() {
        let (expected, found) = (manifest.inputs.len(), inputs.len());
        if found != expected {
            return Err(BackendError::InputCount {
                sample,
                expected,
                found,
            });
        }
        for (port, (input, values)) in manifest.inputs.iter().zip(inputs).enumerate() {
            let (expected, found) = (input.len_bytes(), values.len());
            if found != expected {
                return Err(BackendError::InputLen {
                    sample,
                    port,
                    expected,
                    found,
                });
            }
        }
    }
    Ok(())
}
