//! The CPU executor as its callers see it.

use microtome_backend::{Backend, BackendError, CpuBackend};
use microtome_exec::Executor;
use microtome_kernels::float::{conv2d::ConvF32, source::Source};
use microtome_kernels::num::{Multiplier, Output, Shape, Window};
use microtome_kernels::reference::{add::Add, clamp::Clamp};
use microtome_kernels::view::Broadcast;
use microtome_kernels::{Packing, generic};
use microtome_plan::{
    ArenaAt, ConstAt, Element, Manifest, ModelType, Op, OperandAt, PlanBuf, Port, Step, Target,
    Task, encode, repack,
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

/// A 3×3 convolution of floats whose weights lie in rows.
fn convolution() -> (ConvF32, PlanBuf) {
    let shape = |channels| Shape {
        height: 9,
        width: 30,
        channels,
    };
    let conv = ConvF32 {
        input: shape(5),
        output: shape(19),
        window: Window {
            kernel: [3; 2],
            stride: [1; 2],
            dilation: [1; 2],
            pad: [1; 2],
        },
        groups: 1,
        min: 0.0,
        max: 6.0,
        weights: Source::Constant,
        packing: Packing::ROWS,
        bias: Source::None,
    };
    let port = |at, shape: Shape| Port {
        name: "",
        at: ArenaAt(at),
        dims: [shape.len()].into_iter().collect(),
        order: [0].into_iter().collect(),
        model_type: ModelType::F32,
        element: Element::F32,
        scale: 1.0,
        zero: 0,
    };
    let output_at = conv.input.len() * 4;
    let scratch_at = (output_at + conv.output.len() * 4).next_multiple_of(ArenaAt::ALIGN);
    let step = Step {
        name: "step",
        scale: 1.0,
        op: conv.into(),
        inputs: [OperandAt::Arena(ArenaAt(0))].into_iter().collect(),
        outputs: [ArenaAt(output_at)].into_iter().collect(),
        state: heapless::Vec::new(),
        scratch: ArenaAt(scratch_at),
        constants: [ConstAt(0)].into_iter().collect(),
    };
    let manifest = Manifest {
        model: "convolution",
        target: Target::Generic,
        arena_bytes: step.scratch().end,
        steps: 1,
        inputs: [port(0, conv.input)].into_iter().collect(),
        outputs: [port(output_at, conv.output)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    let weights = floats(conv.output.channels * conv.taps());
    let constants = bytemuck::cast_slice(&weights);
    let plan = PlanBuf::new(&encode(&manifest, &[step], constants)).expect("the plan is valid");
    (conv, plan)
}

/// Numbers between −1 and 1.
fn floats(len: usize) -> Vec<f32> {
    let number = |at: usize| (at * 7919 % 2001) as f32 / 1000.0 - 1.0;
    (0..len).map(number).collect()
}

#[test]
fn float_weights_are_packed_anew_and_back() {
    let (conv, plan) = convolution();
    let packed = repack(&plan, Target::Cpu).expect("the plan is small");
    let steps = |plan: &PlanBuf| plan.plan().steps().map(|step| step.op).collect::<Vec<_>>();
    let expected = ConvF32 {
        packing: ConvF32::PANELS,
        ..conv
    };
    assert_eq!(steps(&packed), [Op::from(expected)]);
    let back = repack(&packed, Target::Generic).expect("the plan is small");
    assert_eq!(steps(&back), [Op::from(conv)]);
    let len = conv.output.channels * conv.taps() * 4;
    assert_eq!(
        back.plan().constants()[..len],
        plan.plan().constants()[..len]
    );
}

#[test]
fn a_float_plan_computes_what_the_portable_kernels_do() {
    let (conv, buf) = convolution();
    let input = floats(conv.input.len());
    let input: &[u8] = bytemuck::cast_slice(&input);
    let plan = buf.plan();
    let mut arena = vec![0_u128; plan.manifest().arena_bytes.div_ceil(16)];
    let arena = bytemuck::cast_slice_mut(&mut arena);
    let mut portable =
        Executor::with_kernels(&plan, arena, &generic::SET).expect("the arena is large enough");
    portable.input_mut(0).copy_from_slice(input);
    portable.run(&mut ());
    let outputs = CpuBackend::new(buf.clone()).run(&[vec![input]]);
    let got = outputs.expect("the input fits").remove(0).remove(0);
    let expected: &[f32] = bytemuck::cast_slice(portable.output(0));
    let got: Vec<f32> = got
        .chunks_exact(4)
        .map(bytemuck::pod_read_unaligned)
        .collect();
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 1e-5 * expected.max(1.0));
    }
}
