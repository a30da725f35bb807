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
    order.sort_unstable_by_key(|&index| written[index].start);
    let mut pieces: Vec<&'a mut [u8], WRITTEN_MAX> = Vec::new();
    let (mut rest, mut at) = (arena, 0);
    for _ in written {
        // An empty piece is as aligned as the arena.
        let (empty, tail) = rest.split_at_mut(0);
        let _ = pieces.push(empty);
        rest = tail;
    }
    let mut kept = Vec::new();
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

#[cfg(test)]
mod tests {
    use super::{cut, find};

    /// Bytes that tell where they lie.
    fn arena() -> [u8; 24] {
        core::array::from_fn(|at| at as u8)
    }

    #[test]
    fn several_results_are_cut_out_in_their_own_order() {
        let mut arena = arena();
        let (pieces, kept) = cut(&mut arena, &[16..20, 4..8, 8..11]);
        assert_eq!(
            pieces[..],
            [&[16, 17, 18, 19][..], &[4, 5, 6, 7], &[8, 9, 10]]
        );
        assert_eq!(find(&kept, 0..4), [0, 1, 2, 3]);
        assert_eq!(find(&kept, 12..16), [12, 13, 14, 15]);
        assert_eq!(find(&kept, 20..24), [20, 21, 22, 23]);
        assert_eq!(find(&kept, 2..3), [2]);
    }

    #[test]
    fn a_result_may_begin_or_end_the_arena() {
        let mut arena = arena();
        let (pieces, kept) = cut(&mut arena, &[0..4, 20..24]);
        assert_eq!(pieces[..], [&[0, 1, 2, 3][..], &[20, 21, 22, 23]]);
        assert_eq!(find(&kept, 4..20).len(), 16);
    }

    #[test]
    fn what_is_empty_is_cut_anywhere() {
        for at in [0, 6, 8, 24] {
            let mut arena = arena();
            let (pieces, kept) = cut(&mut arena, &[4..8, at..at]);
            assert_eq!(pieces[..], [&[4, 5, 6, 7][..], &[]], "empty at {at}");
            assert_eq!(find(&kept, 0..4), [0, 1, 2, 3], "empty at {at}");
            assert_eq!(find(&kept, 8..24).len(), 16, "empty at {at}");
        }
    }
}
