//! The adapter of the tests, and plans to run on it.

use microtome_exec::Executor;
use microtome_gpu::{Gpu, GpuOptions};
use microtome_kernels::operator::Extent;
use microtome_kernels::reference::{self, conv2d::ConvConstants};
use microtome_plan::{
    ArenaAt, ConstAt, Element, Manifest, ModelType, Op, OperandAt, PlanBuf, Port, Step, Target,
    Task, encode,
};
use std::io::Write as _;

/// An adapter; without one the test is skipped, saying so.
pub fn gpu() -> Option<Gpu> {
    match Gpu::open(&GpuOptions::from_env()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            // Past the harness, which hides what passing tests print.
            let _ = writeln!(std::io::stderr(), "skipped: no Vulkan adapter: {error}");
            None
        }
    }
}

/// A plan in the making: spans of the arena and constants are given out one after another.
#[derive(Default)]
pub struct Builder {
    arena_bytes: usize,
    constants: Vec<u8>,
    steps: Vec<Step<'static>>,
}

impl Builder {
    /// Room for `len` elements.
    pub fn span(&mut self, len: usize) -> ArenaAt {
        let at = ArenaAt(self.arena_bytes.next_multiple_of(ArenaAt::ALIGN));
        self.arena_bytes = at.0 + len;
        at
    }

    /// The constants of a convolution.
    pub fn conv(&mut self, constants: &ConvConstants<'_>) -> [ConstAt; 4] {
        [
            self.constant(constants.weights),
            self.constant(constants.bias),
            self.constant(constants.mantissas),
            self.constant(constants.shifts),
        ]
    }

    /// A constant.
    pub fn constant<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> ConstAt {
        let at = self.constants.len().next_multiple_of(ConstAt::ALIGN);
        self.constants.resize(at, 0);
        self.constants
            .extend_from_slice(bytemuck::cast_slice(values));
        ConstAt(at)
    }

    /// Adds a step without state and scratch.
    pub fn step(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ArenaAt],
        output: ArenaAt,
        constants: &[ConstAt],
    ) {
        let op = op.into();
        self.steps.push(Step {
            name: op.operator().kind(),
            scale: 1.0,
            op,
            inputs: inputs.iter().copied().map(OperandAt::Arena).collect(),
            outputs: [output].into_iter().collect(),
            state: [].into_iter().collect(),
            scratch: output,
            constants: constants.iter().copied().collect(),
        });
    }

    /// Adds a step with all that it needs besides operands, results and constants.
    pub fn whole_step(
        &mut self,
        op: impl Into<Op>,
        inputs: &[(ArenaAt, Extent)],
        outputs: &[(ArenaAt, Extent)],
        constants: &[ConstAt],
    ) {
        let op = op.into();
        let kept = op.operator().state();
        let state = kept.iter().map(|it| self.span(it.bytes())).collect();
        let scratch = self.span(op.operator().scratch_bytes());
        self.steps.push(Step {
            name: op.operator().kind(),
            scale: 1.0,
            op,
            inputs: inputs.iter().map(|&(at, _)| OperandAt::Arena(at)).collect(),
            outputs: outputs.iter().map(|&(at, _)| at).collect(),
            state,
            scratch,
            constants: constants.iter().copied().collect(),
        });
    }

    /// The plan whose inputs and outputs lie there.
    pub fn plan(&self, inputs: &[(ArenaAt, Extent)], outputs: &[(ArenaAt, Extent)]) -> PlanBuf {
        let port = |&(at, extent): &(ArenaAt, Extent)| Port {
            name: "port",
            at,
            dims: [extent.len].into_iter().collect(),
            order: [0].into_iter().collect(),
            model_type: match extent.element {
                Element::F32 => ModelType::F32,
                Element::I32 => ModelType::I32,
                _ => ModelType::I8,
            },
            element: extent.element,
            scale: 1.0,
            zero: 0,
        };
        let manifest = Manifest {
            model: "test",
            target: Target::Generic,
            arena_bytes: self.arena_bytes,
            steps: self.steps.len(),
            inputs: inputs.iter().map(port).collect(),
            outputs: outputs.iter().map(port).collect(),
            task: Task::Raw,
            cascade: None,
        };
        PlanBuf::new(&encode(&manifest, &self.steps, &self.constants)).expect("the plan is valid")
    }
}

/// The outputs of the reference kernels.
pub fn reference_outputs(plan: &PlanBuf, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let plan = plan.plan();
    let mut arena = vec![0_u32; plan.manifest().arena_bytes.div_ceil(4)];
    let arena = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::with_kernels(&plan, arena, &reference::SET).expect("an arena");
    for (index, input) in inputs.iter().enumerate() {
        executor.input_mut(index).copy_from_slice(input);
    }
    executor.run(&mut ());
    let outputs = 0..plan.manifest().outputs.len();
    outputs
        .map(|index| executor.output(index).to_vec())
        .collect()
}
