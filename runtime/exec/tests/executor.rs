//! What callers of the executor rely on.

mod support;

use microtome_exec::{ArenaError, Executor, Profiler, StepDone};
use microtome_kernels::cases::Rng;
use microtome_kernels::operator::Args;
use microtome_kernels::{Extent, KernelSet, generic, reference};
use microtome_plan::{OperandAt, Plan, PlanBuf, Step};
use support::{ARENA_BYTES, CLASSES};

/// Words, so that the bytes are aligned.
type Arena = [u32; ARENA_BYTES / 4];

fn arena() -> Arena {
    [0x5a5a_5a5a; ARENA_BYTES / 4]
}

fn image(seed: u64) -> [u8; 108] {
    let mut values = [0; 108];
    Rng::new(seed).fill(bytemuck::cast_slice_mut(&mut values));
    values
}

/// Every step's output, each computed from copies of its operands by the reference.
fn expected(plan: &Plan<'_>, image: &[u8]) -> Vec<Vec<u8>> {
    let mut arena = vec![0; ARENA_BYTES];
    arena[..image.len()].copy_from_slice(image);
    let step = |step: Step<'_>| {
        let operand = |(at, extent): (OperandAt, Extent)| match at {
            OperandAt::Arena(at) => arena[at.span(extent.bytes())].to_vec(),
            OperandAt::Constant(at) => plan.constant(at, extent).to_vec(),
        };
        let operands: Vec<_> = step.operands().map(operand).collect();
        let mut out = vec![0; step.output().len()];
        let args = Args {
            inputs: operands.iter().map(Vec::as_slice).collect(),
            constants: plan.step_constants(&step),
            outputs: heapless::Vec::from_iter([&mut out[..]]),
            ..Args::default()
        };
        step.op.operator().run(&reference::SET, args);
        arena[step.output()].copy_from_slice(&out);
        out
    };
    plan.steps().map(step).collect()
}

fn outputs_of_steps(plan: &Plan<'_>, kernels: &'static KernelSet, image: &[u8]) -> Vec<Vec<u8>> {
    let mut arena = arena();
    let bytes = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::with_kernels(plan, bytes, kernels).expect("an arena");
    executor.input_mut(0).copy_from_slice(image);
    let mut outputs = Vec::new();
    while let Some(StepDone { step, .. }) = executor.step() {
        outputs.push(executor.written(&step).to_vec());
    }
    assert_eq!(outputs.last().map(Vec::as_slice), Some(executor.output(0)));
    outputs
}

#[test]
fn a_run_is_its_operators_one_after_another() {
    let plan = PlanBuf::new(&support::plan()).unwrap();
    for seed in 0..16 {
        let expected = expected(&plan.plan(), &image(seed));
        for kernels in [&reference::SET, &generic::SET] {
            let got = outputs_of_steps(&plan.plan(), kernels, &image(seed));
            assert_eq!(got, expected, "{}", kernels.name);
        }
    }
}

#[test]
fn the_plan_tells_its_inputs_apart() {
    let plan = PlanBuf::new(&support::plan()).unwrap();
    let scores: Vec<_> = (0..2)
        .map(|seed| expected(&plan.plan(), &image(seed)).pop())
        .collect();
    assert_ne!(scores[0], scores[1]);
}

#[test]
fn runs_repeat_whatever_the_arena_held() {
    let plan = PlanBuf::new(&support::plan()).unwrap();
    let plan = plan.plan();
    let mut arena = arena();
    let mut executor = Executor::new(&plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let mut scores = [[0; CLASSES]; 3];
    for scores in &mut scores {
        executor.input_mut(0).copy_from_slice(&image(5));
        executor.run(&mut ());
        scores.copy_from_slice(executor.output(0));
    }
    assert_eq!(scores[0], scores[1]);
    assert_eq!(scores[1], scores[2]);
}

#[test]
fn a_run_starts_over_in_the_middle_of_another() {
    let plan = PlanBuf::new(&support::plan()).unwrap();
    let plan = plan.plan();
    let mut arena = arena();
    let mut executor = Executor::new(&plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    executor.step();
    executor.step();
    executor.rewind();
    executor.input_mut(0).copy_from_slice(&image(5));
    assert_eq!(executor.step().map(|done| done.index), Some(0));
    executor.input_mut(0).copy_from_slice(&image(5));
    executor.run(&mut ());
    let expected = expected(&plan, &image(5)).pop();
    assert_eq!(Some(executor.output(0)), expected.as_deref());
}

#[test]
fn a_profiler_sees_each_step_begin_and_end() {
    struct Log(Vec<(bool, usize, String)>);
    impl Profiler for Log {
        fn begin(&mut self, index: usize, step: &Step<'_>) {
            self.0.push((true, index, step.name.into()));
        }

        fn end(&mut self, index: usize, step: &Step<'_>) {
            self.0.push((false, index, step.name.into()));
        }
    }
    let plan = PlanBuf::new(&support::plan()).unwrap();
    let plan = plan.plan();
    let mut arena = arena();
    let mut executor = Executor::new(&plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let mut log = Log(Vec::new());
    executor.run(&mut log);
    let steps = plan.steps().enumerate();
    let expected: Vec<_> = steps
        .flat_map(|(index, step)| [true, false].map(|begin| (begin, index, step.name.into())))
        .collect();
    assert_eq!(log.0, expected);
}

#[test]
fn an_arena_is_large_enough_and_aligned() {
    let plan = PlanBuf::new(&support::plan()).unwrap();
    let plan = plan.plan();
    let mut arena = [0_u32; ARENA_BYTES / 4 + 1];
    let arena: &mut [u8] = bytemuck::cast_slice_mut(&mut arena);
    let error = |arena: &mut [u8]| Executor::new(&plan, arena).map(drop);
    let (need, have) = (ARENA_BYTES, ARENA_BYTES - 1);
    assert_eq!(
        error(&mut arena[..have]),
        Err(ArenaError::TooSmall { need, have })
    );
    assert_eq!(
        error(&mut arena[1..]),
        Err(ArenaError::Misaligned { align: 4 })
    );
    assert_eq!(error(&mut arena[4..]), Ok(()));
}

#[test]
fn steps_that_were_decoded_before_run_as_those_of_the_plan() {
    let plan = PlanBuf::new(&support::plan()).unwrap();
    let plan = plan.plan();
    let steps: Vec<_> = plan.steps().collect();
    let mut arena = arena();
    let arena = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::with_steps(&plan, &steps, arena).unwrap();
    for seed in 0..4 {
        executor.input_mut(0).copy_from_slice(&image(seed));
        executor.run(&mut ());
        let expected = expected(&plan, &image(seed)).pop();
        assert_eq!(Some(executor.output(0)), expected.as_deref());
    }
}

#[test]
fn what_a_step_keeps_lasts_until_a_reset() {
    let plan = PlanBuf::new(&support::delay()).unwrap();
    let plan = plan.plan();
    let steps: Vec<_> = plan.steps().collect();
    let [mut encoded, mut decoded] = [arena(); 2];
    let encoded = Executor::new(&plan, bytemuck::cast_slice_mut(&mut encoded));
    let decoded = Executor::with_steps(&plan, &steps, bytemuck::cast_slice_mut(&mut decoded));
    for mut executor in [encoded.unwrap(), decoded.unwrap()] {
        keeps_until_a_reset(&mut executor);
    }
}

fn keeps_until_a_reset(executor: &mut Executor<'_, '_>) {
    let run = |executor: &mut Executor<'_, '_>, frame: [u8; 3]| {
        executor.input_mut(0).copy_from_slice(&frame);
        executor.run(&mut ());
        executor.output(0).to_vec()
    };
    let empty = [support::DELAY_FILL.cast_unsigned(); 3];
    for _ in 0..2 {
        assert_eq!(run(executor, [1; 3]), empty);
        assert_eq!(run(executor, [2; 3]), empty);
        assert_eq!(run(executor, [3; 3]), [1; 3]);
        assert_eq!(run(executor, [4; 3]), [2; 3]);
        executor.reset();
    }
}
