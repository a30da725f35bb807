//! The executors that the suite runs on: each takes a model and tensors, and gives tensors or says
//! why not.

use super::archive::{Archive, Case};
use super::outcome::{Outcome, compare};
use super::plan;
use super::tolerance;
use microtome_backend::CpuBackend;
use microtome_compiler::{Tensor, TractModel};
use microtome_gpu::{Gpu, GpuBackend, GpuError, GpuOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

/// The adapter of this process.
pub static GPU: LazyLock<Result<Gpu, GpuError>> =
    LazyLock::new(|| Gpu::open(&GpuOptions::from_env()));

/// An executor by the name that the command has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// `--backend tract`.
    Tract,
    /// A plan on the portable kernels.
    Cpu,
    /// A plan on a GPU, or its software.
    Gpu,
}

impl Executor {
    /// The executor called `name`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Tract, Self::Cpu, Self::Gpu]
            .into_iter()
            .find(|executor| executor.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tract => "tract",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    /// Runs the case in this process.
    pub fn outcome(self, archive: &Archive, case: &Case) -> Outcome {
        let tensors = |values| {
            archive
                .tensors(values)
                .map_err(|type_name| format!("values of type {type_name} are not taken"))
        };
        let (inputs, wanted) = match (tensors(&case.inputs), tensors(&case.outputs)) {
            (Ok(inputs), Ok(outputs)) => (inputs, outputs),
            (Err(reason), _) | (_, Err(reason)) => return Outcome::Refused(reason),
        };
        let names: Vec<String> = case.inputs.iter().map(|it| it.name.clone()).collect();
        let run = || self.run(archive.model(case), &names, &inputs);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(found)) => {
                let (rtol, atol) = tolerance::of(case);
                compare(&found, &wanted, rtol, atol)
            }
            Ok(Err(reason)) => Outcome::Refused(reason),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&it| it.into()));
                Outcome::Crashed(format!("panic: {}", text.unwrap_or_default()))
            }
        }
    }

    fn run(self, model: &[u8], names: &[String], inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        match self {
            Self::Tract => {
                let model = TractModel::load(model).map_err(|error| error.to_string())?;
                model.run(inputs).map_err(|error| error.to_string())
            }
            Self::Cpu => plan::run(model, names, inputs, &|plan| {
                Ok(Box::new(CpuBackend::new(plan)))
            }),
            Self::Gpu => plan::run(model, names, inputs, &|plan| {
                let gpu = GPU.as_ref().map_err(GpuError::to_string)?;
                let backend = GpuBackend::new(gpu, plan).map_err(|error| error.to_string())?;
                Ok(Box::new(backend))
            }),
        }
    }
}
