//! A plan, and an executor that takes its time.

use microtome_backend::{Backend, BackendError, CpuBackend, Inputs, Outputs};
use microtome_kernels::num::{Multiplier, Output};
use microtome_kernels::reference::add::Add;
use microtome_kernels::view::Broadcast;
use microtome_plan::{
    ArenaAt, Element, Manifest, ModelType, OperandAt, PlanBuf, Port, Step, Target, Task, encode,
};
use std::time::Duration;

/// `a + b` of so many values.
pub fn plan(len: usize) -> PlanBuf {
    let factor = |shift| Multiplier {
        mantissa: 1 << 30,
        shift,
    };
    let add = Add {
        broadcast: Broadcast::flat(len),
        subtract: false,
        zeros: [0, 0],
        factors: [factor(0); 2],
        factor: factor(-18),
        store: Output {
            zero: 0,
            min: -128,
            max: 127,
        },
    };
    let port = |name, at| Port {
        name,
        at: ArenaAt(at),
        dims: [1, len].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0,
        zero: 0,
    };
    let second = len.next_multiple_of(ArenaAt::ALIGN);
    let [a, b] = [ArenaAt(0), ArenaAt(second)];
    let step = Step {
        name: "sum",
        scale: 1.0,
        op: add.into(),
        inputs: [a, b].into_iter().map(OperandAt::Arena).collect(),
        outputs: [a].into_iter().collect(),
        state: heapless::Vec::new(),
        scratch: a,
        constants: heapless::Vec::new(),
    };
    let manifest = Manifest {
        model: "sum",
        target: Target::Generic,
        arena_bytes: second + len,
        steps: 1,
        inputs: [port("a", 0), port("b", second)].into_iter().collect(),
        outputs: [port("sum", 0)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    PlanBuf::new(&encode(&manifest, &[step], &[])).expect("the plan is valid")
}

/// Values of the plan's inputs; every sample has others.
pub fn sample(len: usize, number: usize) -> [Vec<u8>; 2] {
    let value = |at: usize, factor: usize| (at * factor + number * 31) as u8;
    [13, 7].map(|factor| (0..len).map(|at| value(at, factor)).collect())
}

/// The CPU executor, which takes so long for each sample.
pub struct Slow {
    cpu: CpuBackend,
    each: Duration,
}

impl Slow {
    pub fn new(plan: &PlanBuf, each: Duration) -> Self {
        let cpu = CpuBackend::new(plan.clone());
        Self { cpu, each }
    }
}

impl Backend for Slow {
    fn name(&self) -> String {
        "slow".to_owned()
    }

    fn run(&mut self, samples: &[Inputs<'_>]) -> Result<Vec<Outputs>, BackendError> {
        std::thread::sleep(self.each * samples.len() as u32);
        self.cpu.run(samples)
    }
}
