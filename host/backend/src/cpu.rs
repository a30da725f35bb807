//! The CPU executor: the firmware's own, over an arena on the heap.

use crate::{Backend, BackendError, Inputs, Outputs, check_inputs};
use microtome_exec::Executor;
use microtome_plan::{Manifest, Plan, PlanBuf, Step, Target, repack};
use self_cell::self_cell;

/// Runs a plan on this machine's processor, one sample after another on the calling thread.
#[derive(Debug)]
pub struct CpuBackend {
    loaded: Loaded,
    /// The words make the alignment that executors want.
    arena: Vec<u128>,
}

self_cell! {
    /// A plan, and what is decoded of its bytes once and not in every run.
    struct Loaded {
        owner: PlanBuf,
        #[covariant]
        dependent: Decoded,
    }
    impl {Debug}
}

/// A plan that is ready to run.
#[derive(Debug)]
struct Decoded<'a> {
    plan: Plan<'a>,
    steps: Vec<Step<'a>>,
}

impl<'a> Decoded<'a> {
    fn new(plan: &'a PlanBuf) -> Self {
        let plan = plan.plan();
        let steps = plan.steps().collect();
        Self { plan, steps }
    }
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
        let loaded = Loaded::new(plan, |plan| Decoded::new(plan));
        let bytes = loaded.borrow_dependent().plan.manifest().arena_bytes;
        Self {
            loaded,
            arena: vec![0; bytes.div_ceil(size_of::<u128>())],
        }
    }
}

impl Backend for CpuBackend {
    fn name(&self) -> String {
        Self::NAME.to_owned()
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        let Decoded { plan, steps } = self.loaded.borrow_dependent();
        check_inputs(plan.manifest(), samples)?;
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        let executor = Executor::with_steps(plan, steps, arena);
        let mut executor = executor.map_err(|error| BackendError::Failed {
            executor: Self::NAME,
            cause: error.to_string(),
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
