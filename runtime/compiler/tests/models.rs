//! The models that the project ships compile, into arenas no larger than they must be, and
//! compute what onnxruntime computed when they were made, and what tract computes.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::{compiled, from_arena, run, to_arena};
use microtome_compiler::{Options, TractModel, arena_lower_bound, compile};
use ndarray::{Array4, Axis};
use ndarray_npy::NpzReader;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[test]
fn cells_are_onnxruntimes() {
    check("cells");
}

#[test]
fn cells_heavy_are_onnxruntimes() {
    check("cells-heavy");
}

/// Model files below `folder`.
fn model_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|it| it.to_str());
        if path.is_dir() {
            model_files(&path, found);
        } else if matches!(extension, Some("onnx" | "tflite")) {
            found.push(path);
        }
    }
}

#[test]
fn arenas_are_within_two_hundredths_of_their_lower_bound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    model_files(&root.join("models"), &mut files);
    let beside = || root.join("../shared/data");
    let data = std::env::var_os("MICROTOME_DATA").map_or_else(beside, PathBuf::from);
    if data.join("models").is_dir() {
        model_files(&data.join("models"), &mut files);
    } else {
        // Past the harness, which hides what passing tests print.
        let why = "skipped: arenas of the reference models: no data; set MICROTOME_DATA";
        writeln!(std::io::stderr(), "{why}").unwrap();
    }
    files.sort();
    let mut compiled_some = false;
    for file in &files {
        let model = std::fs::read(file).unwrap();
        let report = match compile(&model, &Options::new("arena")) {
            Ok(compiled) => compiled.report,
            Err(error) => {
                println!("{}: {error}", file.display());
                continue;
            }
        };
        let (arena, bound) = (report.arena_bytes, report.arena_lower_bound_bytes);
        println!("{}: arena {arena}, lower bound {bound}", file.display());
        assert!(bound <= arena && arena <= bound + bound / 50, "{file:?}");
        compiled_some = true;
    }
    assert!(compiled_some, "no model compiles");
}

/// Largest mean difference of the outputs, in LSB. A rounding that falls the other way in one
/// layer goes through all layers after it.
const MEAN_FAR_MAX: f64 = 0.25;

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(name);
    let model = std::fs::read(folder.join(format!("{name}.onnx"))).unwrap();
    let compiled = compiled(&model);
    let plan = compiled.plan.plan();
    let report = &compiled.report;
    println!(
        "{name}: {} MACs, arena {}, lower bound {}, constants {} B",
        report.macs, report.arena_bytes, report.arena_lower_bound_bytes, report.constants_bytes
    );
    assert_eq!(report.arena_bytes, report.arena_lower_bound_bytes);
    assert_eq!(report.arena_lower_bound_bytes, arena_lower_bound(&plan));

    let mut golden = NpzReader::new(File::open(folder.join("golden.npz")).unwrap()).unwrap();
    let inputs: Array4<i8> = golden.by_name("input_q").unwrap();
    let outputs: Array4<i8> = golden.by_name("output_q").unwrap();
    let (input, output) = (&plan.manifest().inputs[0], &plan.manifest().outputs[0]);
    let tract = TractModel::load(&model).unwrap();
    for (sample, wanted) in inputs.axis_iter(Axis(0)).zip(outputs.axis_iter(Axis(0))) {
        let sample: Vec<i8> = sample.iter().copied().collect();
        let found = &run(&compiled.plan, &[to_arena(input, &sample)])[0];
        let found = from_arena(output, found);
        let wanted: Vec<i8> = wanted.iter().copied().collect();
        assert_near("onnxruntime", &found, &wanted);

        let real: Vec<f32> = sample
            .iter()
            .map(|&value| input.dequantize(value))
            .collect();
        let (dims, values) = &tract.run_float(&[(&input.dims, &real)]).unwrap()[0];
        assert_eq!(dims[..], output.dims[..]);
        let wanted: Vec<i8> = values.iter().map(|&value| output.quantize(value)).collect();
        assert_near("tract", &found, &wanted);
    }
}

fn assert_near(whom: &str, found: &[i8], wanted: &[i8]) {
    let far = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(*b));
    let furthest = far.clone().max().unwrap_or(0);
    let mean = far.map(f64::from).sum::<f64>() / found.len() as f64;
    println!("  from {whom}: at most {furthest} LSB, mean {mean:.4}");
    assert!(mean <= MEAN_FAR_MAX, "{mean} LSB from {whom}");
}
