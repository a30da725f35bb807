//! Why a plan cannot be run on a GPU.

use crate::ops::Unsupported;
use microtome_plan::PlanError;
use std::time::Duration;

/// Why there is no GPU executor, or no answer from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The plan cannot be packed for a GPU.
    #[error("the plan cannot be packed for a GPU: {0}")]
    Repack(PlanError),
    /// No adapter at all.
    #[error(
        "no GPU adapter was found: install the driver of the GPU (on Linux its Vulkan driver), \
         or mesa-vulkan-drivers for a software adapter"
    )]
    NoAdapter,
    /// There are adapters, but not the one that was asked for.
    #[error("no GPU adapter is named like {wanted:?}; there are: {found}")]
    NoSuchAdapter {
        /// The part of the name that was asked for.
        wanted: String,
        /// The names that there are.
        found: String,
    },
    /// The adapter is too small for any plan.
    #[error("{adapter} has {limit} {have}, {need} is needed: choose another adapter or the CPU")]
    AdapterLimit {
        /// Name of the adapter.
        adapter: String,
        /// WebGPU's name of the limit.
        limit: &'static str,
        /// The least that every plan needs.
        need: u64,
        /// What the adapter has.
        have: u64,
    },
    /// The adapter gives no device.
    #[error("{adapter} gives no device: {cause}")]
    NoDevice {
        /// Name of the adapter.
        adapter: String,
        /// What its driver says.
        cause: String,
    },
    /// The plan is too large for the adapter.
    #[error(
        "the plan's {what} take {need} bytes, {adapter} binds at most {have}: run it on the CPU"
    )]
    TooLarge {
        /// Name of the adapter.
        adapter: String,
        /// Which of the plan's buffers.
        what: &'static str,
        /// Its bytes.
        need: u64,
        /// The adapter's most.
        have: u64,
    },
    /// A step has no program.
    #[error("step {index} ({kind}) of the plan has no GPU program yet: run it on the CPU")]
    Unsupported {
        /// Index of the step.
        index: usize,
        /// Name of its operator.
        kind: &'static str,
    },
    /// The adapter's memory does not suffice.
    #[error("{adapter} is out of memory: give it smaller batches, or run the plan on the CPU")]
    OutOfMemory {
        /// Name of the adapter.
        adapter: String,
    },
    /// A program of ours was refused by the adapter, or a call was not valid.
    #[error("{adapter} refuses the plan (this is a defect, please report it): {cause}")]
    Refused {
        /// Name of the adapter.
        adapter: String,
        /// The first error, as wgpu words it.
        cause: String,
    },
    /// The device is gone: reset, unplugged, or its driver crashed.
    #[error("{adapter} was lost ({cause}): open it again, or run the plan on the CPU")]
    Lost {
        /// Name of the adapter.
        adapter: String,
        /// What its driver says.
        cause: String,
    },
    /// A batch took longer than its limit.
    #[error("{adapter} did not finish within {limit:?}: give it smaller batches or more time")]
    Timeout {
        /// Name of the adapter.
        adapter: String,
        /// The limit.
        limit: Duration,
    },
}

impl From<Unsupported> for GpuError {
    fn from(Unsupported { index, kind }: Unsupported) -> Self {
        Self::Unsupported { index, kind }
    }
}
