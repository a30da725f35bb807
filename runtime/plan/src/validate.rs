//! The rules of a plan that executors rely on, checked once for every step.

use crate::error::{Fault, PlanError};
use crate::manifest::{Manifest, Port};
use crate::op::{ArenaAt, ConstAt, Op, Step};
use crate::plan::Plan;
use core::ops::Range;
use microtome_kernels::num::{Multiplier, Output, Shape, Window};
use microtome_kernels::reference::average_pool::{AveragePool, Divide};
use microtome_kernels::reference::conv2d::Conv2d;
use microtome_kernels::reference::depthwise::Depthwise;
use microtome_kernels::reference::pad::Pad;
use microtome_kernels::reference::softmax::Softmax;

/// Rows or columns of an activation.
const EXTENT_MAX: usize = 1 << 16;
/// Taps, strides, dilations and paddings.
const WINDOW_MAX: usize = 1 << 15;
/// Elements of an activation, and weights of a convolution.
const LEN_MAX: usize = 1 << 28;
/// Taps of one output: keeps `taps · 255 · 128` within int32.
const TAPS_MAX: usize = 1 << 16;

/// Checks every rule of `plan`.
pub(crate) fn validate(plan: &Plan<'_>) -> Result<(), PlanError> {
    validate_manifest(plan.manifest()).map_err(|fault| PlanError::Manifest { fault })?;
    let mut rest = plan.steps_encoded();
    for index in 0..plan.manifest().steps {
        let at = |fault| PlanError::Step { index, fault };
        let (step, tail): (Step<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| at(Fault::Encoding))?;
        rest = tail;
        validate_step(&step, plan).map_err(at)?;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(PlanError::Manifest {
            fault: Fault::Encoding,
        })
    }
}

fn validate_manifest(manifest: &Manifest<'_>) -> Result<(), Fault> {
    require(manifest.arena_bytes <= LEN_MAX, Fault::Size)?;
    require(
        !manifest.inputs.is_empty() && !manifest.outputs.is_empty(),
        Fault::Port,
    )?;
    manifest
        .inputs
        .iter()
        .chain(&manifest.outputs)
        .try_for_each(|port| validate_port(port, manifest.arena_bytes))
}

fn validate_port(port: &Port<'_>, arena_bytes: usize) -> Result<(), Fault> {
    let len = port
        .dims
        .iter()
        .try_fold(1_usize, |len, &dim| len.checked_mul(dim));
    let len = len
        .filter(|&len| len > 0 && len <= LEN_MAX)
        .ok_or(Fault::Size)?;
    let axes = port.dims.len();
    let is_permutation = port.order.len() == axes
        && (0..axes).all(|axis| port.order.iter().any(|&from| usize::from(from) == axis));
    require(is_permutation, Fault::Port)?;
    require(port.scale.is_finite() && port.scale > 0.0, Fault::Number)?;
    within_arena(port.at, len, arena_bytes).map(drop)
}

fn validate_step(step: &Step<'_>, plan: &Plan<'_>) -> Result<(), Fault> {
    let arena_bytes = plan.manifest().arena_bytes;
    validate_params(&step.op)?;
    // From here on no length overflows: the parameters have bounded every one.
    let writes = step.op.writes();
    within_arena(ArenaAt(writes.start), writes.len(), arena_bytes)?;
    for (operand, reads) in step.op.reads().into_iter().enumerate() {
        within_arena(ArenaAt(reads.start), reads.len(), arena_bytes)?;
        let replaced = operand == 0 && step.op.in_place() && reads == writes;
        require(replaced || !overlap(&reads, &writes), Fault::Overlap)?;
    }
    let Some((at, weights, channels)) = step.op.constants() else {
        return Ok(());
    };
    let constants = plan.constants().len();
    within_constants(at.weights, weights, constants)?;
    within_constants(at.bias, channels * size_of::<i32>(), constants)?;
    within_constants(at.mantissas, channels * size_of::<i32>(), constants)?;
    within_constants(at.shifts, channels, constants)?;
    let conv = plan.conv(at, weights, channels);
    (0..channels).try_for_each(|channel| valid_factor(conv.multiplier(channel)))
}

fn validate_params(op: &Op) -> Result<(), Fault> {
    match op {
        Op::Conv2d { params, .. } => validate_conv2d(params),
        Op::Depthwise { params, .. } => validate_depthwise(params),
        Op::AveragePool { params, .. } => validate_average_pool(params),
        Op::MaxPool { params, .. } => {
            valid_pool(params.input, params.output, &params.window)?;
            require(params.min <= params.max, Fault::Number)
        }
        Op::Softmax { params, .. } => validate_softmax(params),
        Op::Pad { params, .. } => validate_pad(params),
        Op::Add { params, .. } => {
            valid_len(params.len)?;
            params.factors.into_iter().try_for_each(valid_factor)?;
            valid_factor(params.factor)?;
            valid_output(&params.store)
        }
        Op::Rescale { params, .. } => {
            valid_len(params.len)?;
            valid_factor(params.factor)?;
            valid_output(&params.store)
        }
        Op::Clamp { params, .. } => {
            valid_len(params.len)?;
            require(params.min <= params.max, Fault::Number)
        }
    }
}

fn validate_conv2d(params: &Conv2d) -> Result<(), Fault> {
    valid_window(params.input, params.output, &params.window)?;
    let grouped = params.groups > 0
        && params.input.channels.is_multiple_of(params.groups)
        && params.output.channels.is_multiple_of(params.groups);
    require(grouped, Fault::Shape)?;
    let [rows, columns] = params.window.kernel;
    valid_taps(
        &[rows, columns, params.group_channels()],
        params.output.channels,
    )?;
    valid_output(&params.store)
}

fn validate_depthwise(params: &Depthwise) -> Result<(), Fault> {
    valid_window(params.input, params.output, &params.window)?;
    require(
        params.output.channels.is_multiple_of(params.input.channels),
        Fault::Shape,
    )?;
    valid_taps(&params.window.kernel, params.output.channels)?;
    valid_output(&params.store)
}

fn validate_average_pool(params: &AveragePool) -> Result<(), Fault> {
    valid_pool(params.input, params.output, &params.window)?;
    if let Divide::Scale { factor, .. } = params.divide {
        valid_factor(factor)?;
    }
    valid_output(&params.store)
}

fn validate_softmax(params: &Softmax) -> Result<(), Fault> {
    valid_len(params.rows)?;
    valid_len(params.depth)?;
    valid_len(params.rows.checked_mul(params.depth).ok_or(Fault::Size)?)?;
    // 2^12 exponentials of at most 1 in Q12.19 are what the sum holds.
    require(params.depth < 1 << 12, Fault::Size)?;
    let factor = params.mantissa >= 1 << 30 && params.shift <= 30 && params.diff_min <= 0;
    require(factor, Fault::Number)
}

fn validate_pad(params: &Pad) -> Result<(), Fault> {
    valid_shape(params.input)?;
    valid_shape(params.output)?;
    let inner = [
        params.input.height,
        params.input.width,
        params.input.channels,
    ];
    let outer = [
        params.output.height,
        params.output.width,
        params.output.channels,
    ];
    let fits = |axis: usize| {
        params.before[axis] <= outer[axis] && inner[axis] <= outer[axis] - params.before[axis]
    };
    require((0..3).all(fits), Fault::Shape)
}

fn valid_pool(input: Shape, output: Shape, window: &Window) -> Result<(), Fault> {
    valid_window(input, output, window)?;
    require(
        input.channels == output.channels && window.dilation == [1, 1],
        Fault::Shape,
    )?;
    valid_taps(&window.kernel, 1)
}

/// Every window must touch the input, so that no pool is over nothing.
fn valid_window(input: Shape, output: Shape, window: &Window) -> Result<(), Fault> {
    valid_shape(input)?;
    valid_shape(output)?;
    let extents = [(input.height, output.height), (input.width, output.width)];
    for (axis, (extent, outputs)) in extents.into_iter().enumerate() {
        let (kernel, stride) = (window.kernel[axis], window.stride[axis]);
        let (dilation, pad) = (window.dilation[axis], window.pad[axis]);
        let sizes = [kernel, stride, dilation];
        require(
            sizes.iter().all(|&size| size > 0 && size <= WINDOW_MAX),
            Fault::Size,
        )?;
        require(pad <= (kernel - 1) * dilation, Fault::Shape)?;
        require((outputs - 1) * stride < extent + pad, Fault::Shape)?;
    }
    Ok(())
}

fn valid_shape(shape: Shape) -> Result<(), Fault> {
    require(
        shape.height <= EXTENT_MAX && shape.width <= EXTENT_MAX,
        Fault::Size,
    )?;
    valid_len(shape.checked_len().ok_or(Fault::Size)?)
}

fn valid_len(len: usize) -> Result<(), Fault> {
    require(len > 0 && len <= LEN_MAX, Fault::Size)
}

fn valid_taps(factors: &[usize], channels: usize) -> Result<(), Fault> {
    let taps = factors
        .iter()
        .try_fold(1_usize, |taps, &factor| taps.checked_mul(factor));
    let taps = taps.filter(|&taps| taps <= TAPS_MAX).ok_or(Fault::Size)?;
    valid_len(taps.checked_mul(channels).ok_or(Fault::Size)?)
}

fn valid_factor(factor: Multiplier) -> Result<(), Fault> {
    require(factor.is_valid(), Fault::Number)
}

fn valid_output(output: &Output) -> Result<(), Fault> {
    require(output.min <= output.max, Fault::Number)
}

fn within_arena(at: ArenaAt, len: usize, arena_bytes: usize) -> Result<(), Fault> {
    require(at.0.is_multiple_of(ArenaAt::ALIGN), Fault::Arena)?;
    require(
        at.0 <= arena_bytes && len <= arena_bytes - at.0,
        Fault::Arena,
    )
}

fn within_constants(at: ConstAt, len: usize, constants_len: usize) -> Result<(), Fault> {
    require(at.0.is_multiple_of(ConstAt::ALIGN), Fault::Constant)?;
    require(
        at.0 <= constants_len && len <= constants_len - at.0,
        Fault::Constant,
    )
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

fn require(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}
