//! The CPU executor as its callers see it.

use microtome_backend::{Backend, BackendError, CpuBackend};
use microtome_kernels::num::{Multiplier, Output};
use microtome_kernels::reference::{add::Add, clamp::Clamp};
use microtome_kernels::view::Broadcast;
use microtome_plan::{
    ArenaAt, Element, Manifest, ModelType, Op, OperandAt, PlanBuf, Port, Step, Target, Task, encode,
};

const LEN: usize = 5;

/// `a + b`.
fn add() -> Add {
    let factor = |shift| Multiplier {
        mantissa: 1 << 30,
        shift,
    };
    Add {
        broadcast: Broadcast::flat(LEN),
        subtract: false,
        zeros: [0, 0],
        factors: [factor(0); 2],
        factor: factor(-18),
        store: Output {
            zero: 0,
            min: -128,
            max: 127,
        },
    }
}

fn port(name: &str, at: usize) -> Port<'_> {
    Port {
        name,
        at: ArenaAt(at),
        dims: [1, LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0,
        zero: 0,
    }
}

/// `clamp(a + b, −100, 100)`, in place of `a`: the arena's length is no multiple of its alignment.
fn plan() -> PlanBuf {
    let [a, b] = [ArenaAt(0), ArenaAt(8)];
    let clamp = Clamp {
        len: LEN,
        min: -100,
        max: 100,
    };
    let step = |op: Op, inputs: &[ArenaAt]| Step {
        name: "step",
        scale: 1.0,
        op,
        inputs: inputs.iter().copied().map(OperandAt::Arena).collect(),
        outputs: [a].into_iter().collect(),
        state: heapless::Vec::new(),
        scratch: a,
        constants: heapless::Vec::new(),
    };
    let steps = [step(add().into(), &[a, b]), step(clamp.into(), &[a])];
    let manifest = Manifest {
        model: "sum",
        target: Target::Generic,
        arena_bytes: 8 + LEN,
        steps: steps.len(),
        inputs: [port("a", a.0), port("b", b.0)].into_iter().collect(),
        outputs: [port("sum", a.0)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    PlanBuf::new(&encode(&manifest, &steps, &[])).expect("the plan is valid")
}

#[test]
fn each_sample_of_a_batch_has_its_own_outputs() {
    let bytes = |values: [i8; LEN]| values.map(i8::cast_unsigned);
    let [a, b] = [[1, 2, 3, -4, 120], [10, 20, 30, -40, 5]].map(bytes);
    let mut cpu = CpuBackend::new(plan());
    let outputs = cpu
        .run(&[vec![&a, &b], vec![&b, &b], vec![&a, &b]])
        .unwrap();
    let [sums, twice] = [[11, 22, 33, -44, 100], [20, 40, 60, -80, 10]].map(bytes);
    assert_eq!(outputs, [[sums], [twice], [sums]]);
    assert_eq!(cpu.run(&[]).unwrap(), Vec::<Vec<Vec<u8>>>::new());
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let mut cpu = CpuBackend::new(plan());
    let (fits, short) = ([0; LEN], [0; LEN - 1]);
    let one = cpu.run(&[vec![&fits]]);
    assert_eq!(
        one,
        Err(BackendError::InputCount {
            sample: 0,
            expected: 2,
            found: 1
        })
    );
    let short = cpu.run(&[vec![&fits, &fits], vec![&fits, &short]]);
    let error = BackendError::InputLen {
        sample: 1,
        port: 1,
        expected: LEN,
        found: LEN - 1,
    };
    assert_eq!(short, Err(error));
}
