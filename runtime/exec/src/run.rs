//! From a step of a validated plan to its operator: the arena is cut into what the step reads and
//! what it writes.

use core::ops::Range;
use heapless::Vec;
use microtome_kernels::KernelSet;
use microtome_kernels::operator::Args;
use microtome_plan::op::{OUTPUTS_MAX, STATE_MAX};
use microtome_plan::{OperandAt, Plan, Step};

/// Most spans that a step writes: results, state, scratch.
const WRITTEN_MAX: usize = OUTPUTS_MAX + STATE_MAX + 1;

/// Runs one step of `plan` on the arena.
pub(crate) fn run(step: &Step<'_>, plan: &Plan<'_>, kernels: &KernelSet, arena: &mut [u8]) {
    let mut written: Vec<Range<usize>, WRITTEN_MAX> = Vec::new();
    let (outputs, state) = (step.writes(), step.kept());
    // There is room for all of them.
    written.extend(outputs.iter().chain(&state).cloned());
    let _ = written.push(step.scratch());
    let (mut pieces, kept) = cut(arena, &written);
    let in_place = step.is_in_place();
    let inputs = step
        .operands()
        .enumerate()
        .map(|(operand, (at, extent))| match at {
            OperandAt::Arena(_) if in_place && operand == 0 => &[],
            OperandAt::Arena(at) => find(&kept, at.span(extent.bytes())),
            OperandAt::Constant(at) => plan.constant(at, extent),
        });
    let scratch = pieces.pop().unwrap_or_default();
    let mut pieces = pieces.into_iter();
    let args = Args {
        inputs: inputs.collect(),
        constants: plan.step_constants(step),
        outputs: pieces.by_ref().take(outputs.len()).collect(),
        state: pieces.collect(),
        scratch,
        in_place,
    };
    step.op.operator().run(kernels, args);
}

/// A piece of the arena that the step does not write, and where it begins.
type Kept<'a> = (usize, &'a [u8]);

/// Cuts the disjoint `written` spans out of the arena, in their order, and what lies between.
fn cut<'a>(
    arena: &'a mut [u8],
    written: &[Range<usize>],
) -> (
    Vec<&'a mut [u8], WRITTEN_MAX>,
    Vec<Kept<'a>, { WRITTEN_MAX + 1 }>,
) {
    let mut order: Vec<usize, WRITTEN_MAX> = (0..written.len()).collect();
    order.sort_unstable_by_key(|&index| (written[index].start, written[index].end));
    let mut pieces: Vec<&'a mut [u8], WRITTEN_MAX> = Vec::new();
    pieces.extend(written.iter().map(|_| Default::default()));
    let mut kept = Vec::new();
    let (mut rest, mut at) = (arena, 0);
    for index in order {
        let Range { start, end } = written[index].clone();
        // An empty span may lie anywhere, within another one too.
        if start == end {
            continue;
        }
        let (before, tail) = rest.split_at_mut(start - at);
        let (piece, tail) = tail.split_at_mut(end - start);
        // One more than the spans is the capacity.
        let _ = kept.push((at, &*before));
        pieces[index] = piece;
        (rest, at) = (tail, end);
    }
    let _ = kept.push((at, &*rest));
    (pieces, kept)
}

/// The bytes of `span`, which validation made lie apart from all that is written.
fn find<'a>(kept: &[Kept<'a>], span: Range<usize>) -> &'a [u8] {
    let mut pieces = kept.iter().rev();
    let piece = pieces.find(|(at, _)| *at <= span.start);
    piece.map_or(&[], |(at, bytes)| &bytes[span.start - at..span.end - at])
}
