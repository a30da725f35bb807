//! Every operator keeps the contract of the kernel sets: on random cases, multipliers at their
//! limits and odd channel counts among them, the bits of the reference.

mod support;

use microtome_backend::Backend as _;
use microtome_gpu::{Gpu, GpuBackend};
use microtome_kernels::cases;
use microtome_kernels::reference::{
    add::Add, clamp::Clamp, conv2d::Conv2d, conv2d::ConvConstants, depthwise::Depthwise,
    max_pool::MaxPool, pad::Pad, rescale::Rescale, softmax::Softmax,
};
use microtome_kernels::set::KernelSet;
use microtome_plan::{ArenaAt, Op};
use std::sync::LazyLock;
use support::Builder;

static GPU: LazyLock<Option<Gpu>> = LazyLock::new(support::gpu);

/// Kernels that each run a plan of one step on the adapter.
const SET: KernelSet = KernelSet {
    name: "gpu",
    conv2d,
    depthwise,
    add,
    add_in_place,
    average_pool: |&params, input, output| {
        unary(input, output, |input, output| Op::AveragePool {
            params,
            input,
            output,
        });
    },
    max_pool: |&params: &MaxPool, input, output| {
        unary(input, output, |input, output| Op::MaxPool {
            params,
            input,
            output,
        });
    },
    softmax: |&params: &Softmax, input, output| {
        unary(input, output, |input, output| Op::Softmax {
            params,
            input,
            output,
        });
    },
    rescale: |&params, input, output| {
        unary(input, output, |input, output| Op::Rescale {
            params,
            input,
            output,
        });
    },
    rescale_in_place: |&params: &Rescale, values| {
        in_place(values, |input, output| Op::Rescale {
            params,
            input,
            output,
        });
    },
    pad: |&params: &Pad, input, output| {
        unary(input, output, |input, output| Op::Pad {
            params,
            input,
            output,
        });
    },
    clamp: |&params, input, output| {
        unary(input, output, |input, output| Op::Clamp {
            params,
            input,
            output,
        });
    },
    clamp_in_place: |&params: &Clamp, values| {
        in_place(values, |input, output| Op::Clamp {
            params,
            input,
            output,
        });
    },
};

fn conv2d(params: &Conv2d, constants: &ConvConstants<'_>, input: &[i8], output: &mut [i8]) {
    let mut plan = Builder::default();
    let constants = plan.conv(constants);
    let params = *params;
    run(plan, &[input], output, |at, output| Op::Conv2d {
        params,
        input: at[0],
        output,
        constants,
    });
}

fn depthwise(params: &Depthwise, constants: &ConvConstants<'_>, input: &[i8], output: &mut [i8]) {
    let mut plan = Builder::default();
    let constants = plan.conv(constants);
    let params = *params;
    run(plan, &[input], output, |at, output| Op::Depthwise {
        params,
        input: at[0],
        output,
        constants,
    });
}

fn add(&params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    let op = |at: &[ArenaAt], output| Op::Add {
        params,
        a: at[0],
        b: at[1],
        output,
    };
    run(Builder::default(), &[a, b], output, op);
}

fn add_in_place(&params: &Add, a: &mut [i8], b: &[i8]) {
    let before = a.to_vec();
    let op = |at: &[ArenaAt], _| Op::Add {
        params,
        a: at[0],
        b: at[1],
        output: at[0],
    };
    run(Builder::default(), &[&before, b], a, op);
}

fn unary(input: &[i8], output: &mut [i8], op: impl Fn(ArenaAt, ArenaAt) -> Op) {
    run(Builder::default(), &[input], output, |at, output| {
        op(at[0], output)
    });
}

fn in_place(values: &mut [i8], op: impl Fn(ArenaAt, ArenaAt) -> Op) {
    let before = values.to_vec();
    run(Builder::default(), &[&before], values, |at, _| {
        op(at[0], at[0])
    });
}

/// Runs the operator that `op` makes of the places of its operands and its output.
fn run(
    mut plan: Builder,
    operands: &[&[i8]],
    output: &mut [i8],
    op: impl Fn(&[ArenaAt], ArenaAt) -> Op,
) {
    let at: Vec<ArenaAt> = operands
        .iter()
        .map(|operand| plan.span(operand.len()))
        .collect();
    let op = op(&at, plan.span(output.len()));
    plan.step(op);
    let inputs: Vec<_> = at
        .iter()
        .zip(operands)
        .map(|(&at, values)| (at, values.len()))
        .collect();
    let plan = plan.plan(&inputs, &[(ArenaAt(op.writes().start), output.len())]);
    let gpu = GPU
        .as_ref()
        .expect("an operator is only checked where there is an adapter");
    let mut backend = GpuBackend::new(gpu, plan).expect("every plan is accepted");
    let outputs = backend.run(&[operands.to_vec()]).expect("every plan runs");
    output.copy_from_slice(&outputs[0][0]);
}

/// As many cases as take some seconds on a software adapter.
const CASES: usize = 1000;

fn check(check: cases::Check) {
    if GPU.is_some() {
        cases::repeat(&SET, check, CASES);
    }
}

macro_rules! contract {
    ($($op:ident)*) => {
        $(
            mod $op {
                #[test]
                fn keeps_the_contract() {
                    super::check(microtome_kernels::cases::$op);
                }
            }
        )*
    };
}

contract!(conv2d depthwise add average_pool max_pool softmax rescale pad clamp);
