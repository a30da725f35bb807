//! A hand-made plan that uses every operator, in place and apart.

use microtome_kernels::cases::Rng;
use microtome_kernels::num::{Multiplier, Output, Shape, Window};
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
use microtome_plan::op::ConvAt;
use microtome_plan::{
    ArenaAt, ConstAt, Labels, Manifest, ModelType, Op, Port, Step, Target, Task, encode,
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
    let mut push = |name, op| {
        steps.push(Step {
            name,
            scale: 0.5,
            op,
        });
    };
    convolutions(&mut constants, &mut push);
    elementwise(&mut push);
    head(&mut constants, &mut push);
    encode(&manifest(steps.len()), &steps, &constants.bytes)
}

fn manifest(steps: usize) -> Manifest<'static> {
    let port = |name, at, dims: &[usize], order: &[u8]| Port {
        name,
        at,
        dims: dims.iter().copied().collect(),
        order: order.iter().copied().collect(),
        model_type: ModelType::I8,
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
fn convolutions(constants: &mut Constants, push: &mut impl FnMut(&'static str, Op)) {
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
    };
    let depthwise = Depthwise {
        input: FEATURES,
        output: FEATURES,
        window: window(3, 1, 1),
        input_zero: -7,
        store: STORE,
    };
    let op = Op::Pad {
        params: pad,
        input: LEFT,
        output: MIDDLE,
    };
    push("pad", op);
    let op = Op::Conv2d {
        params: conv,
        input: MIDDLE,
        output: RIGHT,
        constants: constants.conv(conv.weights_len(), 8),
    };
    push("conv", op);
    let op = Op::Depthwise {
        params: depthwise,
        input: RIGHT,
        output: LEFT,
        constants: constants.conv(depthwise.weights_len(), 8),
    };
    push("depthwise", op);
}

/// Adds, rescales and clamps LEFT and RIGHT, in place and apart, and ends in LEFT.
fn elementwise(push: &mut impl FnMut(&'static str, Op)) {
    let len = FEATURES.len();
    let add = Add {
        len,
        zeros: [-7, -7],
        factors: [factor(0), factor(-1)],
        factor: factor(-19),
        store: STORE,
    };
    let rescale = Rescale {
        len,
        zero: -7,
        factor: factor(1),
        store: STORE,
    };
    let clamp = |max| Clamp { len, min: -90, max };
    for (name, a, b, output) in [
        ("add-in-place", LEFT, RIGHT, LEFT),
        ("add-to-itself", LEFT, LEFT, MIDDLE),
        ("add", MIDDLE, RIGHT, LEFT),
    ] {
        let params = add;
        let op = Op::Add {
            params,
            a,
            b,
            output,
        };
        push(name, op);
    }
    for (name, input, output) in [
        ("rescale", LEFT, MIDDLE),
        ("rescale-in-place", MIDDLE, MIDDLE),
    ] {
        let params = rescale;
        let op = Op::Rescale {
            params,
            input,
            output,
        };
        push(name, op);
    }
    for (name, max, input, output) in [
        ("clamp", 100, MIDDLE, LEFT),
        ("clamp-in-place", 90, LEFT, LEFT),
    ] {
        let params = clamp(max);
        let op = Op::Clamp {
            params,
            input,
            output,
        };
        push(name, op);
    }
}

/// LEFT → maximum pool → MIDDLE → average pool → LEFT → dense → RIGHT → softmax → OUTPUT.
fn head(constants: &mut Constants, push: &mut impl FnMut(&'static str, Op)) {
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
    };
    let softmax = Softmax {
        rows: 1,
        depth: CLASSES,
        mantissa: 1 << 30,
        shift: 21,
        diff_min: -255,
    };
    let op = Op::MaxPool {
        params: max,
        input: LEFT,
        output: MIDDLE,
    };
    push("max-pool", op);
    let op = Op::AveragePool {
        params: average,
        input: MIDDLE,
        output: LEFT,
    };
    push("average-pool", op);
    let op = Op::Conv2d {
        params: dense,
        input: LEFT,
        output: RIGHT,
        constants: constants.conv(dense.weights_len(), CLASSES),
    };
    push("dense", op);
    let op = Op::Softmax {
        params: softmax,
        input: RIGHT,
        output: OUTPUT,
    };
    push("softmax", op);
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

    fn conv(&mut self, weights: usize, channels: usize) -> ConvAt {
        let mut values = vec![0; weights];
        self.rng.fill(&mut values);
        let bias = (0..channels as i32).map(|channel| channel * 700 - 2000);
        let (bias, mantissas): (Vec<_>, Vec<_>) =
            bias.map(|bias| (bias, factor(0).mantissa)).unzip();
        ConvAt {
            weights: self.append(&values),
            bias: self.append(&bias),
            mantissas: self.append(&mantissas),
            shifts: self.append(&vec![-8_i8; channels]),
        }
    }

    fn append<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> ConstAt {
        let at = self.bytes.len().next_multiple_of(ConstAt::ALIGN);
        self.bytes.resize(at, 0);
        self.bytes.extend_from_slice(bytemuck::cast_slice(values));
        ConstAt(at)
    }
}
