//! The rules of a plan that executors rely on, checked once for every step.
//!
//! What an operator's parameters and constants must be, the operator itself checks
//! ([`Operator::check`](microtome_kernels::Operator::check)); here is what holds for every step: operands, results and constants lie
//! where there is room for them, aligned, and what is written lies apart from all else.

use crate::error::{Fault, PlanError};
use crate::manifest::{Manifest, Port};
use crate::op::{ArenaAt, ConstAt, OUTPUTS_MAX, OperandAt, STATE_MAX, Spans, Step};
use crate::plan::Plan;
use core::ops::Range;
use microtome_kernels::operator::{Extents, LEN_MAX, checked_len};

/// Most spans that a step writes: results, state, scratch.
const WRITTEN_MAX: usize = OUTPUTS_MAX + STATE_MAX + 1;

/// Checks every rule of `plan`.
pub(crate) fn validate(plan: &Plan<'_>) -> Result<(), PlanError> {
    validate_manifest(plan.manifest()).map_err(|fault| PlanError::Manifest { fault })?;
    let mut rest = plan.steps_encoded();
    let mut step = Step::empty();
    for index in 0..plan.manifest().steps {
        let at = |fault| PlanError::Step { index, fault };
        step.read(&mut rest).map_err(at)?;
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
    let mut ports = manifest.inputs.iter().chain(&manifest.outputs);
    ports.try_for_each(|port| validate_port(port, manifest.arena_bytes))
}

fn validate_port(port: &Port<'_>, arena_bytes: usize) -> Result<(), Fault> {
    // A scalar has no axes and one element.
    let len = checked_len(&port.dims)?;
    let axes = port.dims.len();
    let is_permutation = port.order.len() == axes
        && (0..axes).all(|axis| port.order.iter().any(|&from| usize::from(from) == axis));
    require(is_permutation, Fault::Port)?;
    require(port.model_type.is_held_as(port.element), Fault::Port)?;
    require(port.scale.is_finite() && port.scale > 0.0, Fault::Number)?;
    within_arena(port.at, len * port.element.bytes(), arena_bytes)
}

fn validate_step(step: &Step<'_>, plan: &Plan<'_>) -> Result<(), Fault> {
    let operator = step.op.operator();
    operator.check()?;
    // From here on no length overflows: the parameters have bounded every one.
    validate_operands(step, plan)?;
    let constants = operator.constants();
    require(step.constants.len() == constants.len(), Fault::Constant)?;
    for (&at, extent) in step.constants.iter().zip(&constants) {
        within_constants(at, extent.bytes(), plan.constants().len())?;
    }
    Ok(operator.check_constants(&plan.step_constants(step))?)
}

fn validate_operands(step: &Step<'_>, plan: &Plan<'_>) -> Result<(), Fault> {
    let operator = step.op.operator();
    let arena_bytes = plan.manifest().arena_bytes;
    require(step.inputs.len() == operator.inputs().len(), Fault::Arena)?;
    for (at, extent) in step.operands() {
        match at {
            OperandAt::Arena(at) => within_arena(at, extent.bytes(), arena_bytes)?,
            OperandAt::Constant(at) => {
                within_constants(at, extent.bytes(), plan.constants().len())?;
            }
        }
    }
    let lists: [(&[ArenaAt], Extents); 2] = [
        (&step.outputs, operator.outputs()),
        (&step.state, operator.state()),
    ];
    for (places, extents) in lists {
        require(places.len() == extents.len(), Fault::Arena)?;
        for (&at, extent) in places.iter().zip(&extents) {
            within_arena(at, extent.bytes(), arena_bytes)?;
        }
    }
    within_arena(step.scratch, operator.scratch_bytes(), arena_bytes)?;
    validate_apart(step)
}

/// All that a step writes lies apart, and apart from all that it reads, but for a result in place.
fn validate_apart(step: &Step<'_>) -> Result<(), Fault> {
    let reads = step.reads();
    // As long as the operand, too: a shorter or longer result overlaps it.
    let is_whole = reads.first() == Some(&step.output());
    let replaces = step.op.operator().in_place() && step.is_in_place() && is_whole;
    let mut written: heapless::Vec<Range<usize>, WRITTEN_MAX> = heapless::Vec::new();
    let spans: [Spans; 2] = [step.writes(), step.kept()];
    for span in spans.into_iter().flatten().chain([step.scratch()]) {
        // The first result may replace the first operand, and no other.
        let replaced = usize::from(replaces && written.is_empty());
        let mut others = reads.iter().skip(replaced);
        require(others.all(|read| !overlap(read, &span)), Fault::Overlap)?;
        require(written.iter().all(|it| !overlap(it, &span)), Fault::Overlap)?;
        // There is room for every result, every piece of state and the scratch.
        let _ = written.push(span);
    }
    Ok(())
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

/// Empty spans overlap nothing.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}

fn require(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}
