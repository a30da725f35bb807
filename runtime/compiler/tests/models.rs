//! The models that the project ships compile, into arenas no larger than they must be, and
//! compute what tract computes in float.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::{compiled, noise, run_float};
use microtome_compiler::{TractModel, arena_lower_bound};
use std::path::Path;

#[test]
fn cells_is_tracts() {
    check("cells");
}

#[test]
fn cells_heavy_is_tracts() {
    check("cells-heavy");
}

/// Largest mean difference of an output from tract's, in LSB. A rounding that falls the other way
/// in one layer goes through all layers after it.
const MEAN_FAR_MAX: f32 = 0.5;

fn check(name: &str) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let model = std::fs::read(models.join(format!("{name}/{name}.onnx"))).unwrap();
    let compiled = compiled(&model);
    let plan = compiled.plan.plan();
    let report = &compiled.report;
    println!(
        "{name}: {} MACs, arena {}, lower bound {}, weights {} B",
        report.macs, report.arena_bytes, report.arena_lower_bound_bytes, report.weights_bytes
    );
    assert_eq!(report.arena_bytes, report.arena_lower_bound_bytes);
    assert_eq!(report.arena_lower_bound_bytes, arena_lower_bound(&plan));

    let (input, output) = (&plan.manifest().inputs[0], &plan.manifest().outputs[0]);
    let integers = noise(1, input.len());
    let real: Vec<f32> = integers.iter().map(|&value| input.dequantize(value)).collect();
    let found = &run_float(&compiled.plan, std::slice::from_ref(&real))[0];
    let wanted = TractModel::load(&model).unwrap().run(&[(&input.dims, &real)]).unwrap();
    let (dims, wanted) = &wanted[0];
    assert_eq!(dims[..], output.dims[..]);
    let far = found.iter().zip(wanted).map(|(a, b)| (a - b).abs() / output.scale);
    let furthest = far.clone().fold(0.0, f32::max);
    let mean = far.sum::<f32>() / found.len() as f32;
    println!("  from tract: at most {furthest} LSB, mean {mean}");
    assert!(mean <= MEAN_FAR_MAX, "{mean}");
}
