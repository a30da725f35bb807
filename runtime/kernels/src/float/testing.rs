//! What the tests of all float operators share: running one on vectors, comparing with a
//! tolerance, and the hostile test.

extern crate std;

use crate::cases::Rng;
use crate::operator::{Args, Constants, Element, Extents, Operator};
use crate::set::KernelSet;
use crate::{dispatch, generic};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::{Serialize, de::DeserializeOwned};
use std::vec;
use std::vec::Vec;

/// The elements of one operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F32(Vec<f32>),
    I32(Vec<i32>),
    I8(Vec<i8>),
}

impl Data {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(values) => bytemuck::cast_slice(values),
            Self::I32(values) => bytemuck::cast_slice(values),
            Self::I8(values) => bytemuck::cast_slice(values),
        }
    }

    fn of(element: Element, bytes: &[u8]) -> Self {
        match element {
            Element::F32 => Self::F32(bytemuck::cast_slice(bytes).to_vec()),
            Element::I32 => Self::I32(bytemuck::cast_slice(bytes).to_vec()),
            _ => Self::I8(bytemuck::cast_slice(bytes).to_vec()),
        }
    }

    /// The floats, if they are.
    pub fn floats(&self) -> &[f32] {
        match self {
            Self::F32(values) => values,
            _ => panic!("not floats: {self:?}"),
        }
    }
}

pub fn floats(values: &[f32]) -> Data {
    Data::F32(values.to_vec())
}

pub fn ints(values: &[i32]) -> Data {
    Data::I32(values.to_vec())
}

pub fn bytes(values: &[i8]) -> Data {
    Data::I8(values.to_vec())
}

/// `len` numbers between −2 and 2 from `seed`.
pub fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let mut number = || rng.size(0..=4000) as f32 / 1000.0 - 2.0;
    (0..len).map(|_| number()).collect()
}

/// Bytes at a multiple of 4.
struct Memory(Vec<u32>, usize);

impl Memory {
    fn of(bytes: &[u8]) -> Self {
        let mut memory = Self(vec![0; bytes.len().div_ceil(4)], bytes.len());
        memory.get_mut().copy_from_slice(bytes);
        memory
    }

    fn get(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.0)[..self.1]
    }

    fn get_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.0)[..self.1]
    }
}

/// What a run leaves.
struct Ran {
    outputs: Vec<Memory>,
    state: Vec<Memory>,
}

/// Every kernel set that this machine can run, the portable one first.
fn sets() -> Vec<&'static KernelSet> {
    let mut sets = vec![&generic::SET];
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    sets.extend(dispatch::x86_64());
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    sets.push(dispatch::best());
    sets
}

fn execute(
    set: &KernelSet,
    op: &dyn Operator,
    inputs: &[Memory],
    constants: &[Memory],
    mut state: Vec<Memory>,
    in_place: bool,
) -> Ran {
    // Outputs and scratch hold whatever was there before.
    let old = |bytes: usize| Memory::of(&vec![0xa5; bytes]);
    let mut outputs: Vec<_> = op
        .outputs()
        .iter()
        .map(|extent| old(extent.bytes()))
        .collect();
    let mut scratch = old(op.scratch_bytes());
    if in_place {
        outputs[0].get_mut().copy_from_slice(inputs[0].get());
    }
    let held = |index: usize| in_place && index == 0;
    op.run(
        set,
        Args {
            inputs: inputs
                .iter()
                .enumerate()
                .map(|(index, input)| if held(index) { &[][..] } else { input.get() })
                .collect(),
            constants: Constants(constants.iter().map(Memory::get).collect()),
            outputs: outputs.iter_mut().map(Memory::get_mut).collect(),
            state: state.iter_mut().map(Memory::get_mut).collect(),
            scratch: scratch.get_mut(),
            in_place,
        },
    );
    Ran { outputs, state }
}

fn memories(extents: &Extents, data: &[Data]) -> Vec<Memory> {
    assert_eq!(extents.len(), data.len(), "operands");
    let pairs = extents.iter().zip(data);
    pairs
        .map(|(extent, data)| {
            assert_eq!(extent.bytes(), data.bytes().len(), "an operand's extent");
            Memory::of(data.bytes())
        })
        .collect()
}

/// Runs `op` on `inputs`; in place too, where it can, with the same result.
///
/// # Panics
/// When its parameters or constants are not valid, or the extents are not as stated.
pub fn run(op: &dyn Operator, inputs: &[Data], constants: &[Data]) -> Vec<Data> {
    run_many(op, &[inputs], constants).remove(0)
}

/// As [`run`], once for each of `runs`; what the operator keeps goes from one to the next. Every
/// kernel set runs; the results are those of the portable one, and all others are near.
pub fn run_many(op: &dyn Operator, runs: &[&[Data]], constants: &[Data]) -> Vec<Vec<Data>> {
    let mut results = sets()
        .into_iter()
        .map(|set| run_set(set, op, runs, constants));
    let portable = results.next().unwrap_or_default();
    for others in results {
        for (other, portable) in others.iter().flatten().zip(portable.iter().flatten()) {
            match (other, portable) {
                (Data::F32(_), Data::F32(expected)) => {
                    close(other, expected.iter().map(|&it| f64::from(it)), 1e-5);
                }
                _ => assert_eq!(other, portable, "{op:?}"),
            }
        }
    }
    portable
}

fn run_set(
    set: &KernelSet,
    op: &dyn Operator,
    runs: &[&[Data]],
    constants: &[Data],
) -> Vec<Vec<Data>> {
    assert_eq!(op.check(), Ok(()), "{op:?}");
    let constants = memories(&op.constants(), constants);
    let checked = Constants(constants.iter().map(Memory::get).collect());
    assert_eq!(op.check_constants(&checked), Ok(()), "{op:?}");
    let fill = op.state_fill() as u8;
    let mut state: Vec<_> = op
        .state()
        .iter()
        .map(|extent| Memory::of(&vec![fill; extent.bytes()]))
        .collect();
    let mut results = Vec::new();
    for inputs in runs {
        let inputs = memories(&op.inputs(), inputs);
        let ran = execute(set, op, &inputs, &constants, state, false);
        state = ran.state;
        let outputs: Vec<_> = ran
            .outputs
            .iter()
            .zip(&op.outputs())
            .map(|(memory, extent)| Data::of(extent.element, memory.get()))
            .collect();
        if op.in_place() && op.state().is_empty() {
            let again = execute(set, op, &inputs, &constants, Vec::new(), true);
            assert_eq!(
                again.outputs[0].get(),
                ran.outputs[0].get(),
                "in place: {op:?}"
            );
        }
        results.push(outputs);
    }
    results
}

/// Compares floats: `|got − expected| ≤ tolerance · max(1, |expected|)`, NaN with NaN.
pub fn close(got: &Data, expected: impl IntoIterator<Item = f64>, tolerance: f64) {
    let expected: Vec<_> = expected.into_iter().collect();
    let got = got.floats();
    assert_eq!(got.len(), expected.len(), "elements");
    for (at, (&got, &expected)) in got.iter().zip(&expected).enumerate() {
        let got = f64::from(got);
        let near = (got - expected).abs() <= tolerance * expected.abs().max(1.0);
        let same = got == expected || got.is_nan() && expected.is_nan();
        assert!(near || same, "element {at} is {got}, not {expected}");
    }
}

/// Most elements and products of a hostile case, so that a test ends soon.
const HOSTILE_LEN_MAX: usize = 1 << 14;
const HOSTILE_MACS_MAX: usize = 1 << 20;

/// Whatever the parameters, [`Operator::check`] fails or [`Operator::run`] stays within slices of
/// the stated extents. The parameters are `seeds`, with some bytes of their encoding replaced.
///
/// # Panics
/// When a run does, or when a seed is not valid.
pub fn hostile<P>(seeds: &[P])
where
    P: Operator + Clone + Serialize + DeserializeOwned,
{
    let mut encodings = Vec::new();
    for seed in seeds {
        assert_eq!(seed.check(), Ok(()), "{seed:?}");
        let mut room = [0; 2048];
        encodings.push(postcard::to_slice(seed, &mut room).expect("fits").to_vec());
    }
    let value = prop_oneof![4 => 0_u8..12, 1 => any::<u8>()];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), value), 0..5);
    let case = (0..encodings.len(), edits, any::<u64>());
    let cases = if cfg!(miri) { 8 } else { 2000 };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let ran = core::cell::Cell::new(0);
    let result =
        TestRunner::new_with_rng(config, deterministic()).run(&case, |(seed, edits, random)| {
            let mut encoding = encodings[seed].clone();
            for (at, value) in edits {
                let at = at.index(encoding.len());
                encoding[at] = value;
            }
            if let Ok(op) = postcard::from_bytes::<P>(&encoding) {
                ran.set(ran.get() + usize::from(survives(&op, random)));
            }
            Ok(())
        });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        ran.get() >= cases as usize / 20,
        "only {} of {cases} ran",
        ran.get()
    );
}

fn deterministic() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}

/// Whatever the `constants`, with some bytes replaced, [`Operator::check_constants`] fails or
/// [`Operator::run`] does no harm.
///
/// # Panics
/// When a run does.
pub fn hostile_constants(op: &dyn Operator, constants: &[Data]) {
    let original = memories(&op.constants(), constants);
    let mut rng = Rng::new(7);
    let mut ran = 0;
    for case in 0..if cfg!(miri) { 8 } else { 2000 } {
        let mut edited: Vec<_> = original
            .iter()
            .map(|memory| Memory::of(memory.get()))
            .collect();
        for _ in 0..case % 4 {
            let bytes = edited[rng.size(0..=constants.len() - 1)].get_mut();
            let at = rng.size(0..=bytes.len() - 1);
            bytes[at] = if rng.once_in(2) {
                rng.size(0..=9) as u8
            } else {
                rng.int8() as u8
            };
        }
        let inputs = random(&op.inputs(), &mut rng);
        ran += usize::from(survives_on(op, &inputs, &edited, Vec::new(), false));
    }
    assert!(ran > 0, "none ran");
}

/// Random operands: any bytes, or small integers, so that valid indices are likely.
fn random(extents: &Extents, rng: &mut Rng) -> Vec<Memory> {
    let wild = rng.once_in(2);
    let mut fill = |extent: &crate::Extent| {
        let mut values = vec![0_i8; extent.bytes()];
        if wild {
            rng.fill(&mut values);
        } else {
            // Little endian.
            let step = extent.element.bytes();
            values
                .iter_mut()
                .step_by(step)
                .for_each(|value| *value = rng.size(0..=3) as i8);
        }
        Memory::of(bytemuck::cast_slice(&values))
    };
    extents.iter().map(&mut fill).collect()
}

/// Runs a hostile operator on random bytes; whether it ran.
fn survives(op: &dyn Operator, seed: u64) -> bool {
    if op.check().is_err() {
        return false;
    }
    let lists = [op.inputs(), op.outputs(), op.constants(), op.state()];
    let bytes: usize = lists.iter().flatten().map(|extent| extent.bytes()).sum();
    let small = bytes + op.scratch_bytes() <= 4 * HOSTILE_LEN_MAX;
    let _ = (op.kind(), op.state_fill(), op.output_shape());
    if !small || op.macs() > HOSTILE_MACS_MAX {
        return false;
    }
    let mut rng = Rng::new(seed);
    let [inputs, constants, state] =
        [op.inputs(), op.constants(), op.state()].map(|extents| random(&extents, &mut rng));
    let in_place = op.in_place() && seed.is_multiple_of(2);
    survives_on(op, &inputs, &constants, state, in_place)
}

fn survives_on(
    op: &dyn Operator,
    inputs: &[Memory],
    constants: &[Memory],
    state: Vec<Memory>,
    in_place: bool,
) -> bool {
    let checked = Constants(constants.iter().map(Memory::get).collect());
    let valid = op.check_constants(&checked).is_ok();
    if valid {
        for set in sets() {
            let state = state.iter().map(|memory| Memory::of(memory.get()));
            execute(set, op, inputs, constants, state.collect(), in_place);
        }
    }
    valid
}
