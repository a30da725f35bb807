//! Plans that someone tampered with: they are refused, or they run like any other.

mod support;

use microtome_exec::Executor;
use microtome_kernels::{generic, reference};
use microtome_plan::header::HEADER_LEN;
use microtome_plan::{Header, Op, PlanBuf, Step};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// More than this is refused by any board; it only keeps the test quick.
const ARENA_BYTES_MAX: usize = 1 << 16;
const WORK_MAX: usize = 1 << 22;

/// Writes the digest that a plan with this content states, as its author would.
fn sign(bytes: &mut [u8]) {
    let hash = Sha256::new()
        .chain_update(&bytes[..32])
        .chain_update(&bytes[HEADER_LEN..]);
    bytes[32..HEADER_LEN].copy_from_slice(&hash.finalize());
}

/// About how many elements the reference looks at.
fn work(step: &Step<'_>) -> usize {
    let taps = match &step.op {
        Op::MaxPool(pool) => pool.window.kernel.iter().product(),
        Op::AveragePool(pool) => pool.window.kernel.iter().product(),
        _ => 1,
    };
    let macs = step.op.operator().macs();
    macs.saturating_add(taps * step.output().len())
}

/// Runs the plan in `bytes`, if it is one, with both kernel sets.
fn run_if_accepted(bytes: &[u8]) -> bool {
    let Ok(plan) = PlanBuf::new(bytes) else {
        return false;
    };
    let plan = plan.plan();
    let work = plan.steps().map(|step| work(&step));
    let work = work.fold(0, usize::saturating_add);
    if plan.manifest().arena_bytes > ARENA_BYTES_MAX || work > WORK_MAX {
        return true;
    }
    let outputs = [&reference::SET, &generic::SET].map(|kernels| {
        let mut arena = vec![0_u32; plan.manifest().arena_bytes.div_ceil(4)];
        let arena = bytemuck::cast_slice_mut(&mut arena);
        let mut executor = Executor::with_kernels(&plan, arena, kernels).expect("an arena");
        executor.run(&mut ());
        executor.output(0).to_vec()
    });
    assert_eq!(outputs[0], outputs[1]);
    true
}

/// Any byte becomes any other; small changes of small numbers are what slips through.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let value = prop_oneof![any::<u8>(), 0..=9_u8, Just(0x80), Just(0xff)];
    prop::collection::vec((any::<prop::sample::Index>(), value), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn signed_anew_after_edits_of_the_metadata(edits in edits()) {
        let mut bytes = support::plan();
        let metadata = Header::parse(&bytes)?.metadata_len;
        for (at, value) in edits {
            bytes[HEADER_LEN + at.index(metadata)] = value;
        }
        sign(&mut bytes);
        run_if_accepted(&bytes);
    }

    #[test]
    fn signed_anew_after_edits_anywhere(edits in edits()) {
        let mut bytes = support::plan();
        for (at, value) in edits {
            let at = at.index(bytes.len() - HEADER_LEN) + HEADER_LEN;
            bytes[at] = value;
        }
        sign(&mut bytes);
        run_if_accepted(&bytes);
    }
}

#[test]
fn the_plan_itself_is_accepted() {
    assert!(run_if_accepted(&support::plan()));
}
