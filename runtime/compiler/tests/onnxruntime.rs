//! Real QDQ models against onnxruntime: each step on onnxruntime's own operands, and whole runs.
//!
//! `data/make_onnxruntime_golden.py` makes the fixtures. The models are in the reference data
//! folder, `$MICROTOME_DATA` or `../shared/data` beside the checkout; a test whose model is not
//! there says so and is skipped.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::{compiled, run, to_arena};
use microtome_exec::Executor;
use microtome_plan::{Manifest, Plan, PlanBuf, Step, encode};
use ndarray::{Array1, Array2};
use ndarray_npy::NpzReader;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

const SAMPLES: usize = 100;
const LAYERS_OF: [usize; 2] = [6, 12];

#[test]
fn kws_is_onnxruntimes() {
    check("kws");
}

#[test]
fn ic_is_onnxruntimes() {
    check("ic");
}

#[test]
fn vww_is_onnxruntimes() {
    check("vww");
}

#[test]
fn ad_is_onnxruntimes() {
    check("ad");
}

fn check(name: &str) {
    let Some(model) = model(name) else { return };
    let compiled = compiled(&model);
    let plan = &compiled.plan;
    let report = &compiled.report;
    println!(
        "{name}: {} MACs, arena {} (lower bound {}), constants {} B, plan {} B",
        report.macs,
        report.arena_bytes,
        report.arena_lower_bound_bytes,
        report.constants_bytes,
        plan.bytes().len(),
    );
    let fixture = here(&format!("tests/data/{name}.onnxruntime.npz"));
    let mut fixture = NpzReader::new(File::open(fixture).unwrap()).unwrap();
    for index in LAYERS_OF {
        check_layers(plan, &mut fixture, index);
    }
    check_classes(plan, &mut fixture);
}

/// Each step, given onnxruntime's operands, differs from onnxruntime by at most 1 LSB.
fn check_layers(plan: &PlanBuf, fixture: &mut NpzReader<File>, index: usize) {
    let plan = plan.plan();
    let input = &plan.manifest().inputs[0];
    let sample = to_arena(input, &sample(index, input.len()));
    let mut made: Vec<(Range<usize>, Vec<i8>)> = vec![(input.at.span(input.len()), sample)];
    let (mut differing, mut elements) = (0, 0);
    for step in plan.steps() {
        let wanted: Array1<i8> = fixture
            .by_name(&format!("layer/{index}/{}", step.name))
            .unwrap();
        let wanted = wanted.to_vec();
        let (reads, writes) = (step.reads(), step.output());
        let operands = reads.iter().map(|span| {
            let maker = made.iter().rev().find(|(made, _)| made == span);
            (span.clone(), &*maker.unwrap().1)
        });
        let found = run_step(&plan, &step, operands);
        let far = found.iter().zip(&wanted).map(|(&a, &b)| a.abs_diff(b));
        assert!(
            far.clone().max() <= Some(1),
            "step {}: {:?}",
            step.name,
            far.max()
        );
        let count = far.filter(|&far| far > 0).count();
        println!(
            "  {:4}/{:5} differ by 1: {}",
            count,
            wanted.len(),
            step.name
        );
        differing += count;
        elements += wanted.len();
        made.push((writes, wanted));
    }
    println!("  {differing} of {elements} layer outputs differ by 1 LSB");
}

/// What one step of `plan` writes, alone.
fn run_step<'a>(
    plan: &Plan<'_>,
    step: &Step<'_>,
    operands: impl Iterator<Item = (Range<usize>, &'a [i8])>,
) -> Vec<i8> {
    let manifest = Manifest {
        steps: 1,
        ..plan.manifest().clone()
    };
    let single = PlanBuf::new(&encode(
        &manifest,
        std::slice::from_ref(step),
        plan.constants(),
    ))
    .unwrap();
    let single = single.plan();
    let mut arena = vec![0_u32; manifest.arena_bytes.div_ceil(4)];
    let bytes: &mut [i8] = bytemuck::cast_slice_mut(&mut arena);
    for (span, values) in operands {
        bytes[span].copy_from_slice(values);
    }
    let mut executor = Executor::new(&single, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    executor.step();
    bytemuck::cast_slice(executor.written(step)).to_vec()
}

/// The class is onnxruntime's wherever its best two scores differ by more than 2 LSB.
fn check_classes(plan: &PlanBuf, fixture: &mut NpzReader<File>) {
    let scores: Array2<i8> = fixture.by_name("scores").unwrap();
    assert_eq!(scores.nrows(), SAMPLES);
    let parsed = plan.plan();
    let input = &parsed.manifest().inputs[0];
    let (mut agree, mut clear, mut furthest) = (0, 0, 0);
    for (index, wanted) in scores.outer_iter().enumerate() {
        let found = &run(plan, &[to_arena(input, &sample(index, input.len()))])[0];
        let wanted = wanted.to_vec();
        let far = found.iter().zip(&wanted).map(|(&a, &b)| a.abs_diff(b));
        furthest = furthest.max(far.max().unwrap());
        let mut sorted = wanted.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let same = class(found) == class(&wanted);
        agree += usize::from(same);
        if sorted[0].abs_diff(sorted[1]) > 2 {
            clear += 1;
            assert!(
                same,
                "sample {index}: {found:?}, onnxruntime has {wanted:?}"
            );
        }
    }
    println!(
        "  class: {agree} of {SAMPLES} agree, {clear} are clear; furthest score {furthest} LSB"
    );
}

fn class(scores: &[i8]) -> usize {
    let best = scores.iter().max().unwrap();
    scores.iter().position(|score| score == best).unwrap()
}

/// As `sample` in `make_onnxruntime_golden.py`.
fn sample(index: usize, count: usize) -> Vec<i8> {
    let period = 10 * (index % 7 + 1);
    let contrast = 16 * (index as i32 % 8 + 1);
    let draws = common::noise(index as u64, period + 1);
    // The draws are bytes with their upper half negative; the script's are shifted by 128.
    let draws: Vec<i32> = draws
        .iter()
        .map(|&draw| i32::from(draw as u8) - 128)
        .collect();
    let brightness = draws[0].div_euclid(2);
    let value = |at: usize| (draws[1 + at % period] * contrast).div_euclid(128) + brightness;
    (0..count)
        .map(|at| value(at).clamp(-128, 127) as i8)
        .collect()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The model's bytes; `None`, with a word on stderr, where the reference data is not there.
fn model(name: &str) -> Option<Vec<u8>> {
    let data = match std::env::var_os("MICROTOME_DATA") {
        Some(folder) => folder.into(),
        None => here("../../../shared/data"),
    };
    let path = data.join(format!("models/mlperf-tiny-qdq/{name}.onnx"));
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            // Past the harness, which hides what passing tests print.
            let why = format!("{}: {error}; set MICROTOME_DATA", path.display());
            let _ = writeln!(std::io::stderr(), "skipped: {why}");
            None
        }
    }
}
