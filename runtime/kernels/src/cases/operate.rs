//! Runs any operator on random operands, with a kernel set and with the reference, and compares.

use super::Rng;
use crate::operator::{Args, Constants, Element, Extent, Operator};
use crate::reference;
use crate::set::KernelSet;
use bytemuck::{cast_slice, cast_slice_mut};

/// Words of operands and constants of a case.
const OPERANDS_MAX: usize = 4096;
/// Words of results, state and scratch of a case.
const RESULTS_MAX: usize = 4096;

/// Room for one case.
#[derive(Debug)]
pub struct Buffers {
    operands: [u32; OPERANDS_MAX],
    expected: [u32; RESULTS_MAX],
    got: [u32; RESULTS_MAX],
}

impl Buffers {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self {
            operands: [0; OPERANDS_MAX],
            expected: [0; RESULTS_MAX],
            got: [0; RESULTS_MAX],
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

/// What a case fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An activation that is read, by its index.
    Input(usize),
    /// A constant, by its index.
    Constant(usize),
}

/// An operator of which random cases can be made.
pub trait Case: Operator + Sized {
    /// Valid parameters, with all that they may have, small enough for [`Buffers`].
    fn random(rng: &mut Rng) -> Self;

    /// Fills an operand: with any bytes, unless its values are limited.
    fn fill(&self, rng: &mut Rng, _operand: Operand, bytes: &mut [u8]) {
        rng.fill(cast_slice_mut(bytes));
    }
}

/// How a case ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The results are the same.
    Same,
    /// [`Operator::check`] or [`Operator::check_constants`] refused it.
    Refused,
    /// It does not fit into the buffers.
    TooLarge,
}

/// Makes one valid case and compares `set` with the reference.
///
/// # Panics
/// When a result differs, or the case is refused; the message has its parameters.
pub fn check<C: Case>(set: &KernelSet, rng: &mut Rng, buffers: &mut Buffers) {
    let case = C::random(rng);
    let outcome = operate(set, &case, rng, buffers);
    assert!(outcome == Outcome::Same, "{outcome:?}: {case:?}");
}

/// Runs `case`, whose parameters may be any, with `set` and with the reference, also in place.
///
/// # Panics
/// When a result differs; the message has the case's parameters.
pub fn operate<C: Case>(
    set: &KernelSet,
    case: &C,
    rng: &mut Rng,
    buffers: &mut Buffers,
) -> Outcome {
    if case.check().is_err() {
        return Outcome::Refused;
    }
    let mut operands = Slab(cast_slice_mut(&mut buffers.operands));
    let mut run = Args::default();
    for (index, extent) in case.inputs().into_iter().enumerate() {
        let Some(bytes) = operands.take(extent) else {
            return Outcome::TooLarge;
        };
        case.fill(rng, Operand::Input(index), bytes);
        let _ = run.inputs.push(bytes);
    }
    for (index, extent) in case.constants().into_iter().enumerate() {
        let Some(bytes) = operands.take(extent) else {
            return Outcome::TooLarge;
        };
        case.fill(rng, Operand::Constant(index), bytes);
        let _ = run.constants.0.push(bytes);
    }
    if case.check_constants(&run.constants).is_err() {
        return Outcome::Refused;
    }
    let sources = Sources {
        inputs: &run.inputs,
        constants: &run.constants,
    };
    let seed = rng.clone();
    rng.size(0..=0);
    let (expected, got) = (&mut buffers.expected, &mut buffers.got);
    let Some(_) = sources.run(&reference::SET, case, &seed, expected, false) else {
        return Outcome::TooLarge;
    };
    for in_place in [false, true] {
        if in_place && !case.in_place() {
            continue;
        }
        if let Some(kept) = sources.run(set, case, &seed, got, in_place) {
            compare(set, case, &expected[..kept], &got[..kept]);
        }
    }
    Outcome::Same
}

/// What a case reads.
struct Sources<'a> {
    inputs: &'a [&'a [u8]],
    constants: &'a Constants<'a>,
}

impl Sources<'_> {
    /// Runs `case` in `words`, which `seed` fills before, so that what is forgotten differs from
    /// what the reference writes; returns the words of results and state, or `None` if they do
    /// not fit.
    fn run(
        &self,
        set: &KernelSet,
        case: &dyn Operator,
        seed: &Rng,
        words: &mut [u32],
        in_place: bool,
    ) -> Option<usize> {
        let len = words.len();
        let (outputs, state) = (case.outputs(), case.state());
        let kept = outputs.iter().chain(&state);
        let kept = kept.fold(0_usize, |kept, extent| kept + extent.bytes().div_ceil(4));
        let used = (kept + case.scratch_bytes().div_ceil(4)).min(len);
        seed.clone().fill(cast_slice_mut(&mut words[..used]));
        let mut slab = Slab(cast_slice_mut(words));
        let mut args = Args {
            constants: self.constants.clone(),
            in_place,
            ..Args::default()
        };
        args.inputs.extend(self.inputs.iter().copied());
        for extent in outputs {
            let _ = args.outputs.push(slab.take(extent)?);
        }
        for extent in state {
            let _ = args.state.push(slab.take(extent)?);
        }
        args.scratch = slab.take(Extent::new(Element::I8, case.scratch_bytes()))?;
        if in_place {
            args.outputs[0].copy_from_slice(args.inputs[0]);
            args.inputs[0] = &[];
        }
        case.run(set, args);
        Some(kept)
    }
}

/// Memory that is given out in pieces, each at a multiple of 4 bytes.
struct Slab<'a>(&'a mut [u8]);

impl<'a> Slab<'a> {
    fn take(&mut self, extent: Extent) -> Option<&'a mut [u8]> {
        let whole = extent.bytes().next_multiple_of(4);
        if whole > self.0.len() {
            return None;
        }
        let (piece, rest) = core::mem::take(&mut self.0).split_at_mut(whole);
        self.0 = rest;
        Some(&mut piece[..extent.bytes()])
    }
}

/// Panics at the first byte in which `got` differs.
fn compare(set: &KernelSet, case: &dyn Operator, expected: &[u32], got: &[u32]) {
    let [expected, got] = [expected, got].map(cast_slice::<u32, i8>);
    let difference = expected.iter().zip(got).position(|(a, b)| a != b);
    if let Some(at) = difference {
        panic!(
            "{}: byte {at} is {}, the reference has {}: {case:?}",
            set.name, got[at], expected[at]
        );
    }
}
