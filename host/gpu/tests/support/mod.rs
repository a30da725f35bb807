//! The adapter of the tests, and plans to run on it.

use microtome_gpu::{Gpu, GpuOptions};
use microtome_kernels::reference::conv2d::ConvConstants;
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

    fn constant<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> ConstAt {
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

    /// The plan whose inputs and outputs lie there.
    pub fn plan(&self, inputs: &[(ArenaAt, usize)], outputs: &[(ArenaAt, usize)]) -> PlanBuf {
        let port = |&(at, len): &(ArenaAt, usize)| Port {
            name: "port",
            at,
            dims: [len].into_iter().collect(),
            order: [0].into_iter().collect(),
            model_type: ModelType::I8,
            element: Element::I8,
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
