//! From a plan for one target to the same plan for another: the weights lie otherwise, the bits of
//! every result are the same.

use crate::error::PlanError;
use crate::op::{ArenaAt, ConstAt, Op, OperandAt, Step};
use crate::target::Target;
use crate::write::{PlanBuf, encode};
use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use bytemuck::Pod;
use microtome_kernels::Packing;

/// Packs `op` for `target`. `constants` are those of the operator as it was, in their order; what
/// comes back are those of the operator as it is now.
pub fn pack<'a>(target: Target, op: &mut Op, constants: Vec<Cow<'a, [u8]>>) -> Vec<Cow<'a, [u8]>> {
    let before = op.clone();
    target.choose(op);
    let (from, to, channels, taps) = match (&before, &*op) {
        (Op::Conv2d(before), Op::Conv2d(after)) => {
            let (channels, taps) = (before.output.channels, before.taps());
            (before.packing, after.packing, channels, taps)
        }
        #[cfg(feature = "float")]
        (Op::ConvF32(before), Op::ConvF32(after)) => {
            let (channels, taps) = (before.output.channels, before.taps());
            (before.packing, after.packing, channels, taps)
        }
        _ => return constants,
    };
    let mut constants = constants;
    if from != to
        && let Some(weights) = constants.first_mut()
    {
        let moved = match op {
            Op::Conv2d(_) => move_weights::<i8>(weights, [from, to], channels, taps),
            _ => move_weights::<f32>(weights, [from, to], channels, taps),
        };
        *weights = Cow::Owned(moved);
    }
    constants
}

/// The bytes of `weights`, of `taps` taps a channel, as they lie in the other packing.
fn move_weights<T: Pod>(
    weights: &[u8],
    [from, to]: [Packing; 2],
    channels: usize,
    taps: usize,
) -> Vec<u8> {
    let mut rows = vec![T::zeroed(); channels * taps];
    let elements = weights.chunks_exact(size_of::<T>());
    let elements: Vec<T> = elements.map(bytemuck::pod_read_unaligned).collect();
    from.unpack(&elements, taps, &mut rows);
    let mut packed = vec![T::zeroed(); to.len(channels, taps)];
    to.pack(&rows, taps, &mut packed);
    bytemuck::cast_slice(&packed).to_vec()
}

/// The same plan for `target`. Scratch that the target wants is added to the arena's end; the
/// compiler finds it room among the activations, if the model is compiled for the target.
///
/// # Errors
/// As [`PlanBuf::new`], where the plan would grow beyond the limits.
pub fn repack(plan: &PlanBuf, target: Target) -> Result<PlanBuf, PlanError> {
    let plan = plan.plan();
    let mut manifest = plan.manifest().clone();
    let scratch_at = ArenaAt(manifest.arena_bytes.next_multiple_of(ArenaAt::ALIGN));
    let mut section = Vec::new();
    let mut steps: Vec<Step<'_>> = Vec::new();
    for mut step in plan.steps() {
        let bytes = plan.step_constants(&step).0;
        let bytes = bytes.iter().map(|&it| Cow::Borrowed(it)).collect();
        let scratch_bytes = step.op.operator().scratch_bytes();
        let constants = pack(target, &mut step.op, bytes);
        for (at, bytes) in step.constants.iter_mut().zip(&constants) {
            *at = append(target, &mut section, bytes);
        }
        for (at, extent) in step.inputs.iter_mut().zip(&step.op.operator().inputs()) {
            if let OperandAt::Constant(at) = at {
                *at = append(target, &mut section, plan.constant(*at, *extent));
            }
        }
        if step.op.operator().scratch_bytes() > scratch_bytes {
            step.scratch = scratch_at;
            manifest.arena_bytes = manifest.arena_bytes.max(step.scratch().end);
        }
        steps.push(step);
    }
    manifest.target = target;
    PlanBuf::new(&encode(&manifest, &steps, &section))
}

fn append(target: Target, section: &mut Vec<u8>, bytes: &[u8]) -> ConstAt {
    let start = section.len().next_multiple_of(target.constant_align());
    section.resize(start, 0);
    section.extend_from_slice(bytes);
    ConstAt(start)
}
