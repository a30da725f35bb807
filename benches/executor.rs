//! A whole plan: the separable convolutions of MLPerf Tiny's keyword spotting, with random weights.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use microtome_exec::Executor;
use microtome_kernels::cases::Rng;
use microtome_kernels::num::{Output, Shape, Window};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::average_pool::{AveragePool, Divide};
use microtome_kernels::reference::conv2d::Conv2d;
use microtome_kernels::reference::depthwise::Depthwise;
use microtome_plan::{
    ArenaAt, ConstAt, Element, Manifest, ModelType, Op, OperandAt, Plan, PlanBuf, Port, Step,
    Target, Task, encode,
};

const FEATURES: Shape = Shape {
    height: 25,
    width: 5,
    channels: 64,
};
const POOLED: Shape = Shape {
    height: 1,
    width: 1,
    ..FEATURES
};
const PLACES: [ArenaAt; 2] = [ArenaAt(0), ArenaAt(FEATURES.len())];
const STORE: Output = Output {
    zero: -128,
    min: -128,
    max: 127,
};

fn executor(criterion: &mut Criterion) {
    let bytes = encode(&manifest(), &steps(), &constants());
    let buf = PlanBuf::new(&bytes).expect("the plan is valid");
    let plan = buf.plan();
    let mut group = criterion.benchmark_group("executor");
    group.bench_function("parse and validate", |bencher| {
        bencher.iter(|| Plan::parse(buf.bytes()).map(drop));
    });
    let mut arena = vec![0_u32; plan.manifest().arena_bytes.div_ceil(4)];
    let arena = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::new(&plan, arena).expect("the arena is large enough");
    let macs: usize = plan.steps().map(|step| step.op.operator().macs()).sum();
    group.throughput(Throughput::Elements(macs as u64));
    group.bench_function("four separable convolutions and a pool", |bencher| {
        bencher.iter(|| {
            executor.input_mut(0).fill(7);
            executor.run(&mut ());
            executor.output(0)[0]
        });
    });
    group.finish();
}

fn manifest() -> Manifest<'static> {
    let port = |at, shape: Shape| Port {
        name: "",
        at,
        dims: heapless::Vec::from_iter([shape.len()]),
        order: heapless::Vec::from_iter([0]),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0,
        zero: 0,
    };
    Manifest {
        model: "separable",
        target: Target::Generic,
        arena_bytes: 2 * FEATURES.len(),
        steps: steps().len(),
        inputs: heapless::Vec::from_iter([port(PLACES[0], FEATURES)]),
        outputs: heapless::Vec::from_iter([port(PLACES[1], POOLED)]),
        task: Task::Raw,
        cascade: None,
    }
}

/// Every convolution has the same constants.
fn constants() -> Vec<u8> {
    let mut weights = vec![0_i8; 64 * 64];
    Rng::new(1).fill(&mut weights);
    let mut bytes = bytemuck::cast_slice(&weights).to_vec();
    bytes.extend_from_slice(bytemuck::cast_slice(&[0_i32; 64]));
    bytes.extend_from_slice(bytemuck::cast_slice(&[1_i32 << 30; 64]));
    bytes.extend_from_slice(bytemuck::cast_slice(&[-8_i8; 64]));
    bytes
}

fn steps() -> Vec<Step<'static>> {
    let constants = [0, 64 * 64, 64 * 64 + 256, 64 * 64 + 512].map(ConstAt);
    let depthwise = Depthwise {
        input: FEATURES,
        output: FEATURES,
        window: window([3, 3], 1),
        input_zero: -128,
        store: STORE,
        scratch: 0,
    };
    let pointwise = Conv2d {
        input: FEATURES,
        output: FEATURES,
        window: window([1, 1], 0),
        groups: 1,
        input_zero: -128,
        store: STORE,
        packing: Packing::ROWS,
        scratch: 0,
    };
    let pool = AveragePool {
        input: FEATURES,
        output: POOLED,
        window: window([FEATURES.height, FEATURES.width], 0),
        divide: Divide::Count,
        store: STORE,
    };
    let separable = [
        step(depthwise, PLACES, &constants),
        step(pointwise, [PLACES[1], PLACES[0]], &constants),
    ];
    let separable = std::iter::repeat_n(separable, 4).flatten();
    separable.chain([step(pool, PLACES, &[])]).collect()
}

fn step(op: impl Into<Op>, [input, output]: [ArenaAt; 2], constants: &[ConstAt]) -> Step<'static> {
    Step {
        name: "",
        scale: 1.0,
        op: op.into(),
        inputs: heapless::Vec::from_iter([OperandAt::Arena(input)]),
        outputs: heapless::Vec::from_iter([output]),
        state: heapless::Vec::new(),
        scratch: ArenaAt(0),
        constants: constants.iter().copied().collect(),
    }
}

const fn window(kernel: [usize; 2], pad: usize) -> Window {
    Window {
        kernel,
        stride: [1; 2],
        dilation: [1; 2],
        pad: [pad; 2],
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = executor
}
criterion_main!(benches);
