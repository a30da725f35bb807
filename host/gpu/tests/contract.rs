//! Every operator keeps the contract of the kernel sets: on random cases, multipliers at their
//! limits and odd channel counts among them, the bits of the reference.

mod support;

use bytemuck::{cast_slice, cast_slice_mut};
use microtome_backend::Backend as _;
use microtome_gpu::{Gpu, GpuBackend, GpuError};
use microtome_kernels::cases;
use microtome_kernels::reference;
use microtome_kernels::reference::add::Add;
use microtome_kernels::reference::conv2d::{Conv2d, ConvConstants};
use microtome_kernels::reference::depthwise::Depthwise;
use microtome_kernels::set::KernelSet;
use microtome_plan::{ArenaAt, Op};
use std::sync::LazyLock;
use support::Builder;

static GPU: LazyLock<Option<Gpu>> = LazyLock::new(support::gpu);

/// Kernels that each run a plan of one step on the adapter.
const SET: KernelSet = KernelSet {
    name: "gpu",
    conv2d: |&params, constants, input, _, output| {
        let params = Conv2d {
            scratch: 0,
            ..params
        };
        convolve(params, constants, input, output);
    },
    depthwise: |&params, constants, input, _, output| {
        let params = Depthwise {
            scratch: 0,
            ..params
        };
        convolve(params, constants, input, output);
    },
    add,
    add_in_place,
    average_pool: |&params, input, output| unary(params, input, output),
    max_pool: |&params, input, output| unary(params, input, output),
    softmax: |&params, input, output| unary(params, input, output),
    rescale: |&params, input, output| unary(params, input, output),
    rescale_in_place: |&params, values| in_place(params, values),
    pad: |&params, input, output| unary(params, input, output),
    clamp: |&params, input, output| unary(params, input, output),
    clamp_in_place: |&params, values| in_place(params, values),
    // These have no programs yet.
    ..reference::SET
};

fn convolve(op: impl Into<Op>, constants: &ConvConstants<'_>, input: &[i8], output: &mut [i8]) {
    let mut plan = Builder::default();
    let constants = plan.conv(constants);
    let operand = plan.span(input.len());
    let result = plan.span(output.len());
    plan.step(op, &[operand], result, &constants);
    run(&plan, &[(operand, input)], (result, output)).expect(ACCEPTED);
}

fn unary(op: impl Into<Op>, input: &[i8], output: &mut [i8]) {
    let mut plan = Builder::default();
    let operand = plan.span(input.len());
    let result = plan.span(output.len());
    plan.step(op, &[operand], result, &[]);
    run(&plan, &[(operand, input)], (result, output)).expect(ACCEPTED);
}

fn in_place(op: impl Into<Op>, values: &mut [i8]) {
    let before = values.to_vec();
    let mut plan = Builder::default();
    let at = plan.span(values.len());
    plan.step(op, &[at], at, &[]);
    run(&plan, &[(at, &before)], (at, values)).expect(ACCEPTED);
}

fn add(params: &Add, a: &[i8], b: &[i8], output: &mut [i8]) {
    let mut plan = Builder::default();
    let [at_a, at_b, result] = [a.len(), b.len(), output.len()].map(|len| plan.span(len));
    plan.step(*params, &[at_a, at_b], result, &[]);
    let ran = run(&plan, &[(at_a, a), (at_b, b)], (result, output));
    if !has_program(params, ran) {
        reference::add::add(params, a, b, output);
    }
}

fn add_in_place(params: &Add, a: &mut [i8], b: &[i8]) {
    let before = a.to_vec();
    let mut plan = Builder::default();
    let [at_a, at_b] = [a.len(), b.len()].map(|len| plan.span(len));
    plan.step(*params, &[at_a, at_b], at_a, &[]);
    let ran = run(&plan, &[(at_a, &before), (at_b, b)], (at_a, &mut *a));
    if !has_program(params, ran) {
        reference::add::add_in_place(params, a, b);
    }
}

/// Whether an addition ran: the element-wise ones do, and every other is refused by name.
fn has_program(params: &Add, ran: Result<(), GpuError>) -> bool {
    let has_program = params.broadcast.is_flat() && !params.subtract;
    let kind = if params.subtract { "sub" } else { "add" };
    let refused = Err(GpuError::Unsupported { index: 0, kind });
    assert_eq!(ran, if has_program { Ok(()) } else { refused });
    has_program
}

const ACCEPTED: &str = "every plan of this operator is accepted";

/// Runs the plan with these operands for its result.
///
/// # Errors
/// Why the adapter does not take the plan.
fn run(
    plan: &Builder,
    operands: &[(ArenaAt, &[i8])],
    (result, output): (ArenaAt, &mut [i8]),
) -> Result<(), GpuError> {
    let inputs: Vec<_> = operands
        .iter()
        .map(|&(at, values)| (at, values.len()))
        .collect();
    let plan = plan.plan(&inputs, &[(result, output.len())]);
    let gpu = GPU
        .as_ref()
        .expect("an operator is only checked where there is an adapter");
    let mut backend = GpuBackend::new(gpu, plan)?;
    let sample = operands.iter().map(|(_, values)| cast_slice(values));
    let outputs = backend.run(&[sample.collect()]).expect("every plan runs");
    cast_slice_mut(output).copy_from_slice(&outputs[0][0]);
    Ok(())
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
