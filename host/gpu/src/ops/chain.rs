//! The chain that a float result goes through before it is stored: the functions of one and of
//! two floats that follow a step, so that they cost no dispatch of their own.

use super::context::At;
use super::float;
use super::params::Operand;
use microtome_kernels::float::binary::BinaryKind;
use microtome_kernels::float::pair::Pair;
use microtome_kernels::float::unary::{Function, UnaryKind};
use microtome_kernels::view::{AXES, Strides, merge};
use microtome_plan::{ArenaAt, Op, OperandAt, Step};

/// Most stages of a chain.
pub(super) const STAGES_MAX: usize = 4;

/// A stage: what the pipeline is built for, and the numbers that `chain.wgsl` reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub function: u32,
    pub mode: u32,
    pub numbers: [[u32; 4]; 6],
}

/// The number of the first function of two floats.
const BINARY: u32 = 64;
/// Where the other operand's element lies.
const ONLY_ONE: u32 = 0;
const SAME_INDEX: u32 = 1;
const PERIODIC: u32 = 2;
const STRIDED: u32 = 3;
/// Added where the other operand is the function's first.
const SWAPPED: u32 = 4;

/// Whether the program of `op` passes its result through a chain.
pub(super) fn has_chain(op: &Op) -> bool {
    matches!(
        op,
        Op::Unary(_)
            | Op::Binary(_)
            | Op::ConvF32(_)
            | Op::DepthwiseF32(_)
            | Op::ConvTransposeF32(_)
            | Op::MatMulF32(_)
            | Op::PoolF32(_)
            | Op::SoftmaxF32(_)
            | Op::NormF32(_)
            | Op::ChannelNorm(_)
            | Op::ReduceF32(_)
            | Op::ResampleF32(_)
            | Op::Dequantize(_)
    )
}

/// A function of one float.
pub(super) fn unary(function: &Function) -> Stage {
    let mut numbers = [[0; 4]; 6];
    numbers[1][..2].copy_from_slice(&[function.alpha.to_bits(), function.beta.to_bits()]);
    Stage {
        function: function.kind as u32,
        mode: 0,
        numbers,
    }
}

/// A limit, if it is one.
pub(super) fn clamp(min: f32, max: f32) -> Option<Stage> {
    let limits = min > f32::NEG_INFINITY || max < f32::INFINITY;
    limits.then(|| {
        unary(&Function {
            kind: UnaryKind::Clip,
            alpha: min,
            beta: max,
        })
    })
}

/// A function of two floats, whose other operand is read there; `swapped` says that it is the
/// function's first.
pub(super) fn binary(
    kind: BinaryKind,
    dims: [usize; AXES],
    view: Strides,
    other: Operand,
    swapped: bool,
) -> Stage {
    let (mut dims, mut views) = (dims, [view]);
    merge(&mut dims, &mut views);
    let [view] = views;
    let steps = view.strides.map(|step| step as i32 as u32);
    let period = dims[AXES - 1] as u32;
    let repeats = steps[..AXES - 1].iter().all(|&step| step == 0) && steps[AXES - 1] == 1;
    let mode = if steps == [0; AXES] {
        ONLY_ONE
    } else if view.is_row_major(dims) {
        SAME_INDEX
    } else if repeats && view.offset == 0 {
        PERIODIC
    } else {
        STRIDED
    };
    let [d0, d1, d2, d3, d4, d5] = dims.map(|size| size as u32);
    let [s0, s1, s2, s3, s4, s5] = steps;
    let [at, of_sample] = other.words();
    Stage {
        function: BINARY + kind as u32,
        mode: if swapped { mode | SWAPPED } else { mode },
        numbers: [
            [at, of_sample, 0, 0],
            [0, 0, period, 0],
            [view.offset as u32, 0, d4, d5],
            [d0, d1, d2, d3],
            [s0, s1, s2, s3],
            [s4, s5, 0, 0],
        ],
    }
}

/// The stage that `at.step` is, if it takes the value that lies at `value` element by element.
pub(super) fn follows(at: &mut At<'_>, value: ArenaAt) -> Option<Stage> {
    let is_value = |place: Option<&OperandAt>| place == Some(&OperandAt::Arena(value));
    match at.step.op {
        Op::Unary(ref op) if is_value(at.step.inputs.first()) => Some(unary(&op.function)),
        Op::Binary(ref op) => {
            let sources = float::sources(&op.operands);
            let [first, second] = [0, 1].map(|read| at.place(&sources, read));
            let (own, other) = (first == Some(value), second == Some(value));
            let Pair { dims, a, b, .. } = op.operands;
            match (own, other) {
                (true, false) if a.is_row_major(dims) => {
                    let other = at.read(&sources, 1)?;
                    Some(binary(op.kind, dims, b, other, false))
                }
                (false, true) if b.is_row_major(dims) => {
                    let other = at.read(&sources, 0)?;
                    Some(binary(op.kind, dims, a, other, true))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether step `next` may be a stage of the step before it, whose result is its operand: nobody
/// else reads that, and what the first of them reads is not what the second writes.
pub(super) fn may_fuse(steps: &[Step<'_>], from: usize, next: usize, outputs: &[Span]) -> bool {
    let (source, target) = (steps[next - 1].output(), steps[next].output());
    if source.len() != target.len() || steps[from].outputs.len() != 1 {
        return false;
    }
    if source == target {
        return true;
    }
    let apart = |reads: &Span| reads.end <= target.start || target.end <= reads.start;
    // All of the chain is read and written at once: what its steps read has to stay.
    let reads = |step: &Step<'_>| step.reads().iter().all(apart);
    if !steps[from..next].iter().all(reads) {
        return false;
    }
    let overlaps = |span: &Span| span.start < source.end && source.start < span.end;
    for step in &steps[next + 1..] {
        if step.reads().iter().any(overlaps) || step.kept().iter().any(overlaps) {
            return false;
        }
        let covers = |span: &Span| span.start <= source.start && source.end <= span.end;
        if step.writes().iter().any(covers) {
            return true;
        }
    }
    !outputs.iter().any(overlaps)
}

/// Bytes of the arena.
pub(super) type Span = std::ops::Range<usize>;

#[cfg(test)]
mod tests {
    use super::*;
    use microtome_kernels::float::unary::Unary;

    const LEN: usize = 4;

    /// A step of `LEN` floats from some places of the arena to another.
    fn step(op: impl Into<Op>, inputs: &[usize], output: usize) -> Step<'static> {
        let place = |index: usize| ArenaAt(index * LEN * size_of::<f32>());
        let inputs = inputs.iter().map(|&index| OperandAt::Arena(place(index)));
        Step {
            op: op.into(),
            inputs: inputs.collect(),
            outputs: [place(output)].into_iter().collect(),
            ..Step::empty()
        }
    }

    fn root(from: usize, to: usize) -> Step<'static> {
        let function = Function::plain(UnaryKind::Sqrt);
        step(Unary { function, len: LEN }, &[from], to)
    }

    fn sum(a: usize, b: usize, to: usize) -> Step<'static> {
        let operands = Pair::flat(LEN);
        let kind = BinaryKind::Add;
        step(
            microtome_kernels::float::binary::Binary { kind, operands },
            &[a, b],
            to,
        )
    }

    #[test]
    fn a_result_is_not_put_where_the_chain_still_reads() {
        let in_place = [root(0, 1), sum(1, 2, 1), root(1, 1)];
        assert!(may_fuse(&in_place, 0, 1, &[]) && may_fuse(&in_place, 0, 2, &[]));
        let over_an_operand = [root(0, 1), sum(1, 2, 1), root(1, 2)];
        assert!(!may_fuse(&over_an_operand, 0, 2, &[]));
        let over_the_input = [root(0, 1), root(1, 0)];
        assert!(!may_fuse(&over_the_input, 0, 1, &[]));
        let beside = [root(0, 1), root(1, 2)];
        assert!(may_fuse(&beside, 0, 1, &[]));
    }

    #[test]
    fn a_value_that_others_read_is_stored() {
        let read_later = [root(0, 1), root(1, 2), sum(2, 1, 2)];
        assert!(!may_fuse(&read_later, 0, 1, &[]));
        let written_before = [root(0, 1), root(1, 2), root(2, 1), sum(2, 1, 2)];
        assert!(may_fuse(&written_before, 0, 1, &[]));
        let beside = [root(0, 1), root(1, 2)];
        let bytes = LEN * size_of::<f32>();
        let output = bytes..2 * bytes;
        assert!(!may_fuse(&beside, 0, 1, &[output]));
    }
}
