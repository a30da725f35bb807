//! Which executor runs the heavier models, and why.

use microtome_backend::{Backend, BackendError, CpuBackend};
use microtome_gpu::{Gpu, GpuBackend, GpuOptions};
use microtome_plan::PlanBuf;
use serde::Deserialize;

/// When the GPU is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuPolicy {
    /// Where there is one in hardware: a software adapter is slower than the CPU executor.
    #[default]
    Auto,
    /// Never.
    Off,
    /// On any adapter, for tests.
    SoftwareOk,
}

/// The choice between the executors of this computer.
#[derive(Clone)]
pub struct Executors {
    gpu: Option<Gpu>,
    /// Why there is no GPU; empty when there is.
    reason: String,
}

impl Executors {
    /// Looks for an adapter and chooses.
    pub fn choose(policy: GpuPolicy) -> Self {
        let cpu = |reason: String| Self { gpu: None, reason };
        if policy == GpuPolicy::Off {
            return cpu("the GPU is switched off".to_owned());
        }
        match Gpu::open(&GpuOptions::from_env()) {
            Err(error) => cpu(error.to_string()),
            Ok(gpu) if gpu.is_software() && policy == GpuPolicy::Auto => cpu(format!(
                "the only adapter is software: {}",
                gpu.adapter_name()
            )),
            Ok(gpu) => Self {
                gpu: Some(gpu),
                reason: String::new(),
            },
        }
    }

    /// The adapter, if one was chosen.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// The choice for people: `gpu (NVIDIA L4)`, `cpu (the only adapter is software: llvmpipe)`.
    pub fn name(&self) -> String {
        match &self.gpu {
            Some(gpu) => format!("gpu ({})", gpu.adapter_name()),
            None => format!("cpu ({})", self.reason),
        }
    }

    /// An executor of `plan`, and its name as records have it. A plan that the GPU does not take
    /// is run by the CPU. A GPU that was lost is opened anew; where that fails, the CPU takes its
    /// place for good.
    ///
    /// # Errors
    /// When no executor takes it.
    pub fn open(&mut self, plan: &PlanBuf) -> Result<(Box<dyn Backend>, String), BackendError> {
        if let Some(lost) = self.gpu.as_ref().and_then(Gpu::lost) {
            match Gpu::open(&GpuOptions::from_env()) {
                Ok(gpu) => self.gpu = Some(gpu),
                Err(error) => {
                    self.gpu = None;
                    self.reason = format!("{lost}; {error}");
                }
            }
        }
        let Some(gpu) = &self.gpu else {
            return Ok((Box::new(CpuBackend::new(plan.clone())), self.name()));
        };
        match GpuBackend::new(gpu, plan.clone()) {
            Ok(backend) => Ok((Box::new(backend), self.name())),
            Err(error) => {
                tracing::warn!(%error, "the GPU does not take the plan, the CPU does");
                Ok((
                    Box::new(CpuBackend::new(plan.clone())),
                    format!("cpu ({error})"),
                ))
            }
        }
    }
}
