//! The CPU executor: the firmware's own, over an arena on the heap.

use crate::{Backend, BackendError, Inputs, Outputs, check_inputs};
use microtome_exec::Executor;
use microtome_plan::{Manifest, PlanBuf, Step, Target, repack};

/// Runs a plan on this machine's processor, one sample after another on the calling thread.
#[derive(Debug)]
pub struct CpuBackend {
    plan: PlanBuf,
    /// Its steps, decoded once.
    steps: Vec<Step<'static>>,
    /// The words make the alignment that executors want.
    arena: Vec<u128>,
}

impl CpuBackend {
    const NAME: &str = "cpu";

    /// An executor of `plan`, with an arena of its own. The plan is packed for this machine's
    /// kernels, unless it is so already.
    pub fn new(plan: PlanBuf) -> Self {
        let target = Target::of_this_host();
        let plan = if target.suits(&plan.plan()) {
            plan
        } else {
            // A plan that is at the limit of what a plan may hold runs as it is.
            repack(&plan, target).unwrap_or(plan)
        };
        let steps = plan.plan().steps().map(Step::into_unnamed).collect();
        let bytes = plan.plan().manifest().arena_bytes;
        Self {
            plan,
            steps,
            arena: vec![0; bytes.div_ceil(size_of::<u128>())],
        }
    }
}

impl Backend for CpuBackend {
    fn name(&self) -> String {
        Self::NAME.to_owned()
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        // Plan and executor borrow what `self` owns: they are made once a batch, which costs the
        // decoding of the manifest, and of no step, and no copy of constants or activations.
        let plan = self.plan.plan();
        check_inputs(plan.manifest(), samples)?;
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        let mut executor = Executor::with_steps(&plan, &self.steps, arena).map_err(|error| {
            BackendError::Failed {
                executor: Self::NAME,
                cause: error.to_string(),
            }
        })?;
        Ok(samples
            .iter()
            .map(|inputs| infer(&mut executor, plan.manifest(), inputs))
            .collect())
    }
}

fn infer(executor: &mut Executor<'_, '_>, manifest: &Manifest<'_>, inputs: &[&[u8]]) -> Outputs {
    for (port, values) in inputs.iter().enumerate() {
        executor.input_mut(port).copy_from_slice(values);
    }
    executor.run(&mut ());
    (0..manifest.outputs.len())
        .map(|port| executor.output(port).to_vec())
        .collect()
}
