//! Hand-made plans: one that uses every operator, in place and apart, and parts of others.
#![allow(dead_code, reason = "each test binary uses its own part")]

use microtome_kernels::cases::Rng;
use microtome_kernels::data::delay::Delay;
use microtome_kernels::num::{Multiplier, Output, Shape, Window};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::{
    add::Add,
    average_pool::{AveragePool, Divide},
    clamp::Clamp,
    conv2d::Conv2d,
    depthwise::Depthwise,
    max_pool::MaxPool,
    pad::Pad,
    rescale::Rescale,
    softmax::Softmax,
};
use microtome_kernels::view::Broadcast;
use microtome_plan::{
    ArenaAt, ConstAt, Element, Labels, Manifest, ModelType, Op, OperandAt, Port, Step, Target,
    Task, encode,
};

/// Bytes of arena that the plan needs.
pub const ARENA_BYTES: usize = 508;
/// Elements of the output.
pub const CLASSES: usize = 5;

const INPUT: Shape = hwc(6, 6, 3);
const PADDED: Shape = hwc(7, 7, 3);
const FEATURES: Shape = hwc(3, 3, 8);
const POOLED: Shape = hwc(2, 2, 8);

// Three places take turns: the input's is taken again as soon as the input is padded.
const LEFT: ArenaAt = ArenaAt(0);
const MIDDLE: ArenaAt = ArenaAt(112);
const RIGHT: ArenaAt = ArenaAt(260);
const OUTPUT: ArenaAt = ArenaAt(500);

const STORE: Output = Output {
    zero: -7,
    min: -128,
    max: 127,
};

const fn hwc(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

const fn window(kernel: usize, stride: usize, pad: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        pad: [pad; 2],
    }
}

const fn factor(shift: i8) -> Multiplier {
    Multiplier {
        mantissa: 1_500_000_000,
        shift,
    }
}

/// The bytes of the plan.
pub fn plan() -> Vec<u8> {
    let mut constants = Constants::new();
    let mut steps = Vec::new();
    convolutions(&mut constants, &mut steps);
    elementwise(&mut constants, &mut steps);
    head(&mut constants, &mut steps);
    encode(&manifest(steps.len()), &steps, &constants.bytes)
}

/// A step with operands in the arena, one result, no state and no scratch.
pub fn step(
    name: &'static str,
    op: impl Into<Op>,
    inputs: &[ArenaAt],
    output: ArenaAt,
    constants: &[ConstAt],
) -> Step<'static> {
    Step {
        name,
        scale: 0.5,
        op: op.into(),
        inputs: inputs.iter().copied().map(OperandAt::Arena).collect(),
        outputs: heapless::Vec::from_iter([output]),
        state: heapless::Vec::new(),
        scratch: ArenaAt(0),
        constants: constants.iter().copied().collect(),
    }
}

/// Every byte that [`delay`] gives before the first frame comes out.
pub const DELAY_FILL: i8 = -9;

/// The bytes of a plan that gives each frame of 3 elements two runs after it was taken.
pub fn delay() -> Vec<u8> {
    let delay = Delay {
        element: Element::I8,
        frame_len: 3,
        frames: 1,
        delay: 2,
        overlap: 0,
        fill: DELAY_FILL,
    };
    let mut step = step("delay", delay, &[ArenaAt(0)], ArenaAt(4), &[]);
    step.state.push(ArenaAt(8)).expect("there is room");
    let mut manifest = manifest(1);
    let ports = manifest.inputs.iter_mut().chain(&mut manifest.outputs);
    for (port, at) in ports.zip([0, 4]) {
        port.at = ArenaAt(at);
        port.dims = heapless::Vec::from_iter([1, 3]);
        port.order = heapless::Vec::from_iter([0, 1]);
    }
    encode(&manifest, &[step], &[])
}

fn manifest(steps: usize) -> Manifest<'static> {
    let port = |name, at, dims: &[usize], order: &[u8]| Port {
        name,
        at,
        dims: dims.iter().copied().collect(),
        order: order.iter().copied().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 0.25,
        zero: 3,
    };
    let ports = |port| heapless::Vec::from_iter([port]);
    Manifest {
        model: "every-op",
        target: Target::Generic,
        arena_bytes: ARENA_BYTES,
        steps,
        inputs: ports(port("image", LEFT, &[1, 3, 6, 6], &[0, 2, 3, 1])),
        outputs: ports(port("scores", OUTPUT, &[1, CLASSES], &[0, 1])),
        task: Task::Classify {
            labels: Labels("a\nb\nc\nd\ne"),
        },
        cascade: None,
    }
}

/// LEFT → pad → MIDDLE → convolution → RIGHT → depthwise → LEFT.
fn convolutions(constants: &mut Constants, steps: &mut Vec<Step<'static>>) {
    let pad = Pad {
        input: INPUT,
        output: PADDED,
        before: [0, 1, 0],
        value: 3,
    };
    let conv = Conv2d {
        input: PADDED,
        output: FEATURES,
        window: window(3, 2, 0),
        groups: 1,
        input_zero: 3,
        store: STORE,
        packing: Packing::ROWS,
        scratch: 0,
    };
    let depthwise = Depthwise {
        input: FEATURES,
        output: FEATURES,
        window: window(3, 1, 1),
        input_zero: -7,
        store: STORE,
        scratch: 0,
    };
    let conv_at = constants.conv(conv.weights_len(), 8);
    let depthwise_at = constants.conv(depthwise.weights_len(), 8);
    steps.extend([
        step("pad", pad, &[LEFT], MIDDLE, &[]),
        step("conv", conv, &[MIDDLE], RIGHT, &conv_at),
        step("depthwise", depthwise, &[RIGHT], LEFT, &depthwise_at),
    ]);
}

/// Adds, subtracts, rescales and clamps LEFT and RIGHT, in place and apart, with a constant of
/// one element a channel, and ends in LEFT.
fn elementwise(constants: &mut Constants, steps: &mut Vec<Step<'static>>) {
    let len = FEATURES.len();
    let add = Add {
        broadcast: Broadcast::flat(len),
        subtract: false,
        zeros: [-7, -7],
        factors: [factor(0), factor(-1)],
        factor: factor(-19),
        store: STORE,
    };
    let subtract = Add {
        broadcast: Broadcast::of([1, 1, 1, 3, 3, 8], [[1, 1, 1, 3, 3, 8], [1, 1, 1, 1, 1, 8]]),
        subtract: true,
        ..add
    };
    let rescale = Rescale {
        len,
        zero: -7,
        factor: factor(1),
        store: STORE,
    };
    let clamp = |max| Clamp { len, min: -90, max };
    let mut subtraction = step("subtract-constant", subtract, &[LEFT], LEFT, &[]);
    let channels = OperandAt::Constant(constants.random(8));
    subtraction.inputs.push(channels).expect("there is room");
    steps.extend([
        step("add-in-place", add, &[LEFT, RIGHT], LEFT, &[]),
        step("add-to-itself", add, &[LEFT, LEFT], MIDDLE, &[]),
        step("add", add, &[MIDDLE, RIGHT], LEFT, &[]),
        subtraction,
        step("rescale", rescale, &[LEFT], MIDDLE, &[]),
        step("rescale-in-place", rescale, &[MIDDLE], MIDDLE, &[]),
        step("clamp", clamp(100), &[MIDDLE], LEFT, &[]),
        step("clamp-in-place", clamp(90), &[LEFT], LEFT, &[]),
    ]);
}

/// LEFT → maximum pool → MIDDLE → average pool → LEFT → dense → RIGHT → softmax → OUTPUT.
fn head(constants: &mut Constants, steps: &mut Vec<Step<'static>>) {
    let max = MaxPool {
        input: FEATURES,
        output: POOLED,
        window: window(2, 1, 0),
        min: -128,
        max: 127,
    };
    let average = AveragePool {
        input: POOLED,
        output: hwc(1, 1, 8),
        window: window(2, 1, 0),
        divide: Divide::Count,
        store: STORE,
    };
    let dense = Conv2d {
        input: hwc(1, 1, 8),
        output: hwc(1, 1, CLASSES),
        window: window(1, 1, 0),
        groups: 1,
        input_zero: -7,
        store: STORE,
        packing: Packing::ROWS,
        scratch: 0,
    };
    let softmax = Softmax {
        rows: 1,
        depth: CLASSES,
        mantissa: 1 << 30,
        shift: 21,
        diff_min: -255,
    };
    let dense_at = constants.conv(dense.weights_len(), CLASSES);
    steps.extend([
        step("max-pool", max, &[LEFT], MIDDLE, &[]),
        step("average-pool", average, &[MIDDLE], LEFT, &[]),
        step("dense", dense, &[LEFT], RIGHT, &dense_at),
        step("softmax", softmax, &[RIGHT], OUTPUT, &[]),
    ]);
}

/// A constants section with random weights.
struct Constants {
    bytes: Vec<u8>,
    rng: Rng,
}

impl Constants {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            rng: Rng::new(1),
        }
    }

    /// Weights, biases, mantissas and shifts of a convolution.
    fn conv(&mut self, weights: usize, channels: usize) -> [ConstAt; 4] {
        let bias = (0..channels as i32).map(|channel| channel * 700 - 2000);
        let (bias, mantissas): (Vec<_>, Vec<_>) =
            bias.map(|bias| (bias, factor(0).mantissa)).unzip();
        [
            self.random(weights),
            self.append(&bias),
            self.append(&mantissas),
            self.append(&vec![-8_i8; channels]),
        ]
    }

    /// Random int8.
    fn random(&mut self, len: usize) -> ConstAt {
        let mut values = vec![0; len];
        self.rng.fill(&mut values);
        self.append(&values)
    }

    fn append<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> ConstAt {
        let at = self.bytes.len().next_multiple_of(ConstAt::ALIGN);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(bytemuck::cast_slice(values));
        ConstAt(at)
    }
}
