//! Random models: whatever the executor, the arena's content and the way of running, the bits are
//! the same; and nothing outside of the arena that the plan asks for is touched.
//!
//! A failure names its seed; `MICROTOME_SEED=n cargo test --test random_graphs` runs that model.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::random::{self, Palette, Random};
use microtome_compiler::{Compiled, Options, arena_lower_bound, compile};
use microtome_exec::Executor;
use microtome_kernels::{KernelSet, dispatch, generic, reference};
use microtome_plan::{Element, Plan};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

const MODELS: u64 = 300;

/// Words around the arena that must stay as they are.
const GUARD_WORDS: usize = 8;
const GUARD: u32 = 0xdead_beef;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Whole,
    Steps,
}

/// Outputs of two runs of `plan`, in an arena of exactly its size that begins as `stale`.
fn run(
    plan: &Plan<'_>,
    kernels: &'static KernelSet,
    inputs: &[Vec<u8>],
    stale: u32,
    way: Way,
) -> Vec<Vec<u8>> {
    let arena_bytes = plan.manifest().arena_bytes;
    let words = arena_bytes.div_ceil(4);
    let mut memory = vec![GUARD; words + 2 * GUARD_WORDS];
    memory[GUARD_WORDS..GUARD_WORDS + words].fill(stale);
    let (before, rest) = memory.split_at_mut(GUARD_WORDS);
    let (arena, after) = rest.split_at_mut(words);
    let arena = &mut bytemuck::cast_slice_mut(arena)[..arena_bytes];
    let mut executor = Executor::with_kernels(plan, arena, kernels).unwrap();
    let mut outputs = Vec::new();
    for _ in 0..2 {
        for (index, input) in inputs.iter().enumerate() {
            executor.input_mut(index).copy_from_slice(input);
        }
        match way {
            Way::Whole => executor.run(&mut ()),
            Way::Steps => {
                while executor.step().is_some() {}
                executor.rewind();
            }
        }
        let ports = 0..plan.manifest().outputs.len();
        outputs.extend(ports.map(|index| executor.output(index).to_vec()));
    }
    let guards = before.iter().chain(&*after);
    assert!(guards.into_iter().all(|&word| word == GUARD), "a guard");
    outputs
}

/// Noise for every input, of finite numbers where they are floats.
fn noise(plan: &Plan<'_>, random: &mut Random) -> Vec<Vec<u8>> {
    let inputs = plan.manifest().inputs.iter();
    let noise = inputs.map(|port| match port.element {
        Element::F32 => {
            let reals = random.bytes(port.len()).into_iter();
            let reals = reals.map(|byte| f32::from(byte.cast_signed()) / 32.0);
            reals.flat_map(f32::to_le_bytes).collect()
        }
        _ => random.bytes(port.len_bytes()),
    });
    noise.collect()
}

/// Checks one model, and returns the kinds of its steps.
fn check(seed: u64) -> Vec<&'static str> {
    let model = random::model(seed, Palette::All);
    let compiled = compile(&model, &Options::new("random"));
    let Compiled { plan, report } = compiled.unwrap_or_else(|error| panic!("{error}"));
    let plan = plan.plan();
    assert!(report.arena_bytes >= report.arena_lower_bound_bytes);
    assert_eq!(arena_lower_bound(&plan), report.arena_lower_bound_bytes);
    let inputs = noise(&plan, &mut Random::new(!seed));
    let wanted = run(&plan, &reference::SET, &inputs, 0, Way::Whole);
    let (first, second) = wanted.split_at(wanted.len() / 2);
    assert_eq!(first, second, "the second run differs");
    // Those of floats have tolerances, to which their own tests hold them.
    let fastest = Box::leak(Box::new(KernelSet {
        float: reference::SET.float,
        ..*dispatch::best()
    }));
    for (what, kernels, stale, way) in [
        ("a stale arena", &reference::SET, 0x7f80_ff5a, Way::Whole),
        ("steps", &reference::SET, 0x5a5a_5a5a, Way::Steps),
        ("portable kernels", &generic::SET, 0x7f80_ff5a, Way::Whole),
        ("fastest kernels", fastest, u32::MAX, Way::Steps),
    ] {
        let found = run(&plan, kernels, &inputs, stale, way);
        assert!(found == wanted, "{what} changed the bits");
    }
    // Stays within the guards.
    run(&plan, dispatch::best(), &inputs, u32::MAX, Way::Whole);
    let kinds = plan.steps().map(|step| step.op.operator().kind());
    kinds.collect()
}

#[test]
fn every_way_to_run_a_random_model_has_the_same_bits() {
    let seeds = match std::env::var("MICROTOME_SEED") {
        Ok(seed) => vec![seed.parse().expect("MICROTOME_SEED is a number")],
        Err(_) => (0..MODELS).collect(),
    };
    let mut kinds = BTreeSet::new();
    for &seed in &seeds {
        match catch_unwind(AssertUnwindSafe(|| check(seed))) {
            Ok(steps) => kinds.extend(steps),
            Err(_) => panic!("MICROTOME_SEED={seed} fails"),
        }
    }
    let wanted = [
        "add",
        "average_pool",
        "clamp",
        "conv2d",
        "copy",
        "depthwise",
        "lookup",
        "max_pool",
        "mul",
        "pad",
        "rescale",
        "softmax",
    ];
    let missing: Vec<_> = wanted
        .iter()
        .filter(|kind| !kinds.contains(*kind))
        .collect();
    assert!(
        seeds.len() == 1 || missing.is_empty(),
        "never drawn: {missing:?}"
    );
}
