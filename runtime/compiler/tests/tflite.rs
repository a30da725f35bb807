//! int8 TFLite models are TensorFlow Lite Micro's bit for bit, output by output and layer by layer.
//!
//! The MLPerf Tiny models and what TFLM's reference kernels make of them, built with single
//! rounding, are in the reference data folder, `$MICROTOME_DATA` or `../shared/data` beside the
//! checkout; a test whose model is not there says so and is skipped.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use microtome_compiler::{Compiled, Fate, Options, compile};
use microtome_exec::Executor;
use microtome_kernels::{KernelSet, dispatch, reference};
use ndarray::ArrayD;
use ndarray_npy::NpzReader;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Golden inputs of each model.
const SAMPLES: usize = 8;

#[test]
fn kws_is_tflms() {
    check("kws", "kws_ref_model", 22_820);
}

#[test]
fn vww_is_tflms() {
    check("vww", "vww_96_int8", 100_708);
}

#[test]
fn ic_is_tflms() {
    check("ic", "pretrainedResnet_quant", 54_996);
}

#[test]
fn ad_is_tflms() {
    check("ad", "ad01_int8", 2_580);
}

/// `arena_max` is what TFLM itself needs.
fn check(name: &str, model: &str, arena_max: usize) {
    let Some(model) = data(&format!("{model}.tflite")) else {
        return;
    };
    let golden = |file: &str| data(&format!("golden/{name}/{file}")).unwrap();
    let model = std::fs::read(model).unwrap();
    let compiled = compile(&model, &Options::new(name)).unwrap();
    let arena_bytes = compiled.report.arena_bytes;
    println!("{name}: arena {arena_bytes} B, TFLM has {arena_max} B");
    assert!(arena_bytes < arena_max, "{arena_bytes}");

    let inputs = std::fs::read(golden("inputs.bin")).unwrap();
    let outputs = std::fs::read(golden("outputs_single_rounding.bin")).unwrap();
    let samples = inputs.chunks_exact(inputs.len() / SAMPLES);
    let wanted = outputs.chunks_exact(outputs.len() / SAMPLES);
    for set in [&reference::SET, dispatch::best()] {
        for (index, (input, wanted)) in samples.clone().zip(wanted.clone()).enumerate() {
            let found = run(&compiled, set, input);
            assert_eq!(found, wanted, "{name}, input {index}, {}", set.name);
        }
        let layers = File::open(golden("layers_a0_single.npz")).unwrap();
        check_layers(&compiled, set, &mut NpzReader::new(layers).unwrap());
    }
}

/// The output of `compiled`. Inputs and outputs of these models are in the arena as they are in
/// the model.
fn run(compiled: &Compiled, set: &'static KernelSet, input: &[u8]) -> Vec<u8> {
    let plan = compiled.plan.plan();
    let mut arena = arena(compiled);
    let bytes = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::with_kernels(&plan, bytes, set).unwrap();
    executor.input_mut(0).copy_from_slice(input);
    executor.run(&mut ());
    executor.output(0).to_vec()
}

/// A stale arena: what it holds must not matter.
fn arena(compiled: &Compiled) -> Vec<u32> {
    vec![0x5a5a_5a5a; compiled.report.arena_bytes.div_ceil(4)]
}

/// Each step's output, for the input of the file, is that of the operator which it computes.
fn check_layers(compiled: &Compiled, set: &'static KernelSet, layers: &mut NpzReader<File>) {
    let plan = compiled.plan.plan();
    let mut arena = arena(compiled);
    let bytes = bytemuck::cast_slice_mut(&mut arena);
    let mut executor = Executor::with_kernels(&plan, bytes, set).unwrap();
    let input: ArrayD<i8> = layers.by_name("input").unwrap();
    let input: Vec<i8> = input.into_iter().collect();
    executor
        .input_mut(0)
        .copy_from_slice(bytemuck::cast_slice(&input));
    let names = layers.names().unwrap();
    let operators = operators_of_steps(compiled);
    assert_eq!(operators.len(), plan.steps().count());
    for operator in operators {
        let done = executor.step().unwrap();
        let prefix = format!("op{operator:02}_");
        let key = names.iter().find(|name| name.starts_with(&prefix)).unwrap();
        let wanted: ArrayD<i8> = layers.by_name(key).unwrap();
        let wanted: Vec<i8> = wanted.into_iter().collect();
        let found: &[i8] = bytemuck::cast_slice(executor.written(&done.step));
        assert_eq!(found, wanted, "step {}, {key}", done.index);
    }
}

/// For each step, the index of the TFLite operator that it computes: all nodes of an operator have
/// the name of its result.
fn operators_of_steps(compiled: &Compiled) -> Vec<usize> {
    let nodes = &compiled.report.nodes;
    let operators = nodes.chunk_by(|a, b| a.name == b.name);
    let is_step = |(index, nodes): (usize, &[microtome_compiler::NodeReport])| {
        let mut fates = nodes.iter().map(|node| node.fate);
        fates
            .any(|fate| matches!(fate, Fate::Step(_)))
            .then_some(index)
    };
    operators.enumerate().filter_map(is_step).collect()
}

/// The path of a file of reference data; `None`, with a word on stderr, where it is not there.
fn data(file: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("MICROTOME_DATA") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    let path = folder.join("models/mlperf-tiny").join(file);
    if path.exists() {
        return Some(path);
    }
    // Past the harness, which hides what passing tests print.
    let why = format!("{} is not there; set MICROTOME_DATA", path.display());
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}
