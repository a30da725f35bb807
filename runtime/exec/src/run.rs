//! From a step of a validated plan to its operator: the arena is cut into what the step reads and
//! what it writes.

use core::mem::take;
use core::ops::Range;
use heapless::Vec;
use microtome_kernels::KernelSet;
use microtome_kernels::operator::{Args, Constants};
use microtome_plan::op::{OUTPUTS_MAX, STATE_MAX};
use microtome_plan::{OperandAt, Plan, Step};

/// Most spans that a step writes: results, state, scratch.
const WRITTEN_MAX: usize = OUTPUTS_MAX + STATE_MAX + 1;

/// Runs one step of `plan` on the arena.
pub(crate) fn run(step: &Step<'_>, plan: &Plan<'_>, kernels: &KernelSet, arena: &mut [u8]) {
    let operator = step.op.operator();
    // One by one: a list is large, and is not moved.
    let reads = operator.inputs();
    let results = operator.outputs();
    let kept = operator.state();
    let mut written: Vec<Range<usize>, WRITTEN_MAX> = Vec::new();
    // There is room for all of them.
    for (at, extent) in step.outputs.iter().zip(&results) {
        let _ = written.push(at.span(extent.bytes()));
    }
    for (at, extent) in step.state.iter().zip(&kept) {
        let _ = written.push(at.span(extent.bytes()));
    }
    let _ = written.push(step.scratch.span(operator.scratch_bytes()));
    let in_place = step.is_in_place();
    let mut cut = Cut::default();
    cut.arena(arena, &written);
    let Cut { pieces, untouched } = &mut cut;
    let mut args = Args {
        inputs: Vec::new(),
        constants: Constants(Vec::new()),
        outputs: Vec::new(),
        state: Vec::new(),
        scratch: pieces.pop().unwrap_or_default(),
        in_place,
    };
    for (operand, (at, extent)) in step.inputs.iter().zip(&reads).enumerate() {
        let bytes = match *at {
            OperandAt::Arena(_) if in_place && operand == 0 => &[],
            OperandAt::Arena(at) => find(untouched, at.span(extent.bytes())),
            OperandAt::Constant(at) => plan.constant(at, *extent),
        };
        let _ = args.inputs.push(bytes);
    }
    for (&at, extent) in step.constants.iter().zip(&operator.constants()) {
        let _ = args.constants.0.push(plan.constant(at, *extent));
    }
    for (index, piece) in pieces.iter_mut().enumerate() {
        let list = if index < results.len() {
            &mut args.outputs
        } else {
            &mut args.state
        };
        let _ = list.push(take(piece));
    }
    operator.run(kernels, args);
}

/// A piece of the arena that the step does not write, and where it begins.
type Kept<'a> = (usize, &'a [u8]);

/// An arena in pieces. It is large, and filled where it lies.
#[derive(Default)]
struct Cut<'a> {
    /// What the step writes, in the step's order.
    pieces: Vec<&'a mut [u8], WRITTEN_MAX>,
    /// What lies between, in the arena's order.
    untouched: Vec<Kept<'a>, { WRITTEN_MAX + 1 }>,
}

impl<'a> Cut<'a> {
    /// Cuts the disjoint `written` spans out of the arena.
    fn arena(&mut self, arena: &'a mut [u8], written: &[Range<usize>]) {
        let (mut rest, mut at) = (arena, 0);
        for _ in written {
            // An empty piece is as aligned as the arena.
            let (empty, tail) = rest.split_at_mut(0);
            let _ = self.pieces.push(empty);
            rest = tail;
        }
        while let Some(index) = next(written, at) {
            let Range { start, end } = written[index].clone();
            let (before, tail) = rest.split_at_mut(start - at);
            let (piece, tail) = tail.split_at_mut(end - start);
            // One more than the spans is the capacity.
            let _ = self.untouched.push((at, &*before));
            self.pieces[index] = piece;
            (rest, at) = (tail, end);
        }
        let _ = self.untouched.push((at, &*rest));
    }
}

/// The first of the disjoint `written` spans from `at` on. An empty one may lie anywhere, within
/// another one too, and does not count.
fn next(written: &[Range<usize>], at: usize) -> Option<usize> {
    let ahead = |span: &Range<usize>| span.start >= at && span.start < span.end;
    let spans = written.iter().enumerate();
    let spans = spans.filter(|(_, span)| ahead(span));
    let first = spans.min_by_key(|(_, span)| span.start);
    first.map(|(index, _)| index)
}

/// The bytes of `span`, which validation made lie apart from all that is written.
fn find<'a>(kept: &[Kept<'a>], span: Range<usize>) -> &'a [u8] {
    let mut pieces = kept.iter().rev();
    let piece = pieces.find(|(at, _)| *at <= span.start);
    piece.map_or(&[], |(at, bytes)| &bytes[span.start - at..span.end - at])
}

#[cfg(test)]
mod tests {
    use super::{Cut, find};
    use core::ops::Range;

    /// Bytes that tell where they lie.
    fn arena() -> [u8; 24] {
        core::array::from_fn(|at| at as u8)
    }

    fn cut<'a>(arena: &'a mut [u8], written: &[Range<usize>]) -> Cut<'a> {
        let mut cut = Cut::default();
        cut.arena(arena, written);
        cut
    }

    #[test]
    fn several_results_are_cut_out_in_their_own_order() {
        let mut arena = arena();
        let Cut {
            pieces,
            untouched: kept,
        } = cut(&mut arena, &[16..20, 4..8, 8..11]);
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
        let Cut {
            pieces,
            untouched: kept,
        } = cut(&mut arena, &[0..4, 20..24]);
        assert_eq!(pieces[..], [&[0, 1, 2, 3][..], &[20, 21, 22, 23]]);
        assert_eq!(find(&kept, 4..20).len(), 16);
    }

    #[test]
    fn what_is_empty_is_cut_anywhere() {
        for at in [0, 6, 8, 24] {
            let mut arena = arena();
            let Cut {
                pieces,
                untouched: kept,
            } = cut(&mut arena, &[4..8, at..at]);
            assert_eq!(pieces[..], [&[4, 5, 6, 7][..], &[]], "empty at {at}");
            assert_eq!(find(&kept, 0..4), [0, 1, 2, 3], "empty at {at}");
            assert_eq!(find(&kept, 8..24).len(), 16, "empty at {at}");
        }
    }
}
