//! `microtome run`: a model's outputs for a file of samples, on any executor.

use crate::array;
use crate::executor::{self, Name};
use crate::model::Model;
use crate::report;
use anyhow::{Context, Result, ensure};
use microtome_plan::plan::short;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx) or a plan (.mtp)
    model: PathBuf,
    /// Samples: .npy, .npz, .png or .jpg, one or a batch, in the model's own layout
    #[arg(long)]
    input: PathBuf,
    /// cpu, gpu, tract, or a board
    #[arg(long, default_value = "cpu")]
    backend: Name,
    /// Where to write the raw outputs, batch first (.npy, or .npz for several outputs)
    #[arg(long)]
    output: Option<PathBuf>,
    /// The board's image, instead of one that is built from the checkout
    #[arg(long)]
    firmware: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json<'a> {
    model: String,
    backend: String,
    plan_hash: &'a str,
    samples: usize,
    latency_us: f64,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    shape: &'a [usize],
    dtype: &'static str,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let model = Model::load(&args.model)?;
    let samples = samples(&model, &args.input)?;
    let ran = executor::run(args.backend, &model, &samples, args.firmware.clone())?;
    if let Some(path) = &args.output {
        array::write(path, &ran.outputs)?;
    }
    let outputs: Vec<Output<'_>> = ran
        .outputs
        .iter()
        .map(|(name, array)| Output {
            name,
            shape: array.shape(),
            dtype: array.dtype(),
        })
        .collect();
    if json {
        return report::json(&Json {
            model: model.name(),
            backend: args.backend.to_string(),
            plan_hash: &hex(&model.plan.digest()),
            samples: samples.len(),
            latency_us: ran.latency_us,
            outputs,
        });
    }
    report::facts(&[
        ("model", model.name()),
        ("plan", short(&model.plan.digest()).to_string()),
        ("backend", args.backend.to_string()),
        ("samples", samples.len().to_string()),
        ("time a sample", format!("{:.1} µs", ran.latency_us)),
    ]);
    let mut table = report::table(["output", "shape", "type", "first values"], 3);
    for (name, array) in &ran.outputs {
        table.add_row([
            name,
            &format!("{:?}", array.shape()),
            array.dtype(),
            &array.preview(6),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// The samples in the file at `path` for the model's first input.
pub fn samples(model: &Model, path: &Path) -> Result<Vec<array::Array>> {
    let plan = model.plan.plan();
    let inputs = &plan.manifest().inputs;
    ensure!(
        inputs.len() == 1,
        "the model has {} inputs; --input gives one",
        inputs.len()
    );
    let array = array::read(path, inputs[0].name)?;
    array::samples(&array, &inputs[0].dims).with_context(|| path.display().to_string())
}

/// A digest in hexadecimal.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
