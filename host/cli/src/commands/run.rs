//! `microtome run`: a model's outputs for a file of samples, on any executor.

use crate::array::{self, Sample};
use crate::executor::{self, Name, Ran};
use crate::model::Model;
use crate::reference::Reference;
use crate::report;
use anyhow::Result;
use microtome_plan::{Digest, plan::short};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite) or a plan (.mtp)
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
    model: &'a str,
    backend: String,
    /// tract runs models that have no plan.
    plan_hash: Option<String>,
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

/// A run, and what it was of.
struct Done {
    model: String,
    plan: Option<Digest>,
    samples: usize,
    ran: Ran,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let done = match args.backend {
        Name::Tract => on_tract(args)?,
        _ => on_plan(args)?,
    };
    if let Some(path) = &args.output {
        array::write(path, &done.ran.outputs)?;
    }
    if json {
        to_json(args, &done)
    } else {
        print(args, &done)
    }
}

fn on_plan(args: &Args) -> Result<Done> {
    let model = Model::load_for(&args.model, args.backend.target())?;
    let samples = samples(&model, &args.input)?;
    let ran = executor::run(args.backend, &model, &samples, args.firmware.clone())?;
    let (name, plan) = (model.name(), Some(model.plan.digest()));
    Ok(Done {
        model: name,
        plan,
        samples: samples.len(),
        ran,
    })
}

fn on_tract(args: &Args) -> Result<Done> {
    let reference = Reference::load(&args.model)?;
    let samples = array::read_samples(&args.input, reference.inputs(), false)?;
    let ran = reference.run(&samples)?;
    let name = args.model.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Done {
        model: name.into_owned(),
        plan: None,
        samples: samples.len(),
        ran,
    })
}

fn to_json(args: &Args, done: &Done) -> Result<()> {
    let outputs = done.ran.outputs.iter().map(|(name, array)| Output {
        name,
        shape: array.shape(),
        dtype: array.dtype(),
    });
    report::json(&Json {
        model: &done.model,
        backend: args.backend.to_string(),
        plan_hash: done.plan.map(|digest| hex(&digest)),
        samples: done.samples,
        latency_us: done.ran.latency_us,
        outputs: outputs.collect(),
    })
}

fn print(args: &Args, done: &Done) -> Result<()> {
    let plan = done
        .plan
        .map_or_else(|| "none".to_owned(), |digest| short(&digest).to_string());
    report::facts(&[
        ("model", done.model.clone()),
        ("plan", plan),
        ("backend", args.backend.to_string()),
        ("samples", done.samples.to_string()),
        ("time a sample", format!("{:.1} µs", done.ran.latency_us)),
    ]);
    let mut table = report::table(["output", "shape", "type", "first values"], 3);
    for (name, array) in &done.ran.outputs {
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

/// The samples in the file at `path` for the model's inputs.
pub fn samples(model: &Model, path: &Path) -> Result<Vec<Sample>> {
    let plan = model.plan.plan();
    let inputs = plan.manifest().inputs.iter();
    let inputs: Vec<_> = inputs
        .map(|port| (port.name.to_owned(), port.dims.to_vec()))
        .collect();
    array::read_samples(path, &inputs, model.streams())
}

/// A digest in hexadecimal.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
