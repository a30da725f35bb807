//! `microtome compile`: from a trained model to a plan, with a report of what became of each node.

use crate::commands::quantization;
use crate::commands::run::hex;
use crate::inspection::Node;
use crate::model::{How, Model, Source, target};
use crate::report::{self, grouped};
use anyhow::{Context, Result};
use microtome_plan::Target;
use serde::Serialize;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// A model file (.onnx, .tflite)
    model: PathBuf,
    /// Where to write the plan (.mtp)
    #[arg(short, long)]
    output: PathBuf,
    /// What the plan is packed for
    #[arg(long, default_value = "generic", value_parser = target())]
    target: Target,
    /// A plan of a stream: so many frames a run along the model's open axis, with what lies before
    /// them kept in the arena
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pulse: Option<u32>,
    /// Make a float model int8 by these samples: a file (.npz, with `labels` if there are any), or
    /// a folder of .npy, .npz, .png and .jpg files
    #[arg(long, value_name = "FILE.npz|DIR")]
    calibrate: Option<PathBuf>,
}

#[derive(Serialize)]
struct Json {
    model: String,
    output: PathBuf,
    plan_hash: String,
    target: String,
    macs: usize,
    arena_bytes: usize,
    arena_lower_bound_bytes: usize,
    plan_bytes: usize,
    nodes: Vec<Node>,
    notes: Vec<String>,
    quantization: Option<quantization::Json>,
}

pub fn run(args: &Args, json: bool) -> Result<()> {
    let how = How {
        target: args.target,
        pulse: args.pulse.map(|frames| frames as usize),
    };
    let model = match &args.calibrate {
        None => Model::load_as(&args.model, &how)?,
        Some(samples) => Model::calibrated(&args.model, samples, &how)?,
    };
    let source = model
        .source
        .as_ref()
        .context("this is a plan already: give a model file")?;
    std::fs::write(&args.output, model.plan.bytes())
        .with_context(|| format!("cannot write the plan {}", args.output.display()))?;
    let plan = model.plan.plan();
    let target = plan.manifest().target.to_string();
    if json {
        return report::json(&to_json(args, &model, source, target));
    }
    let mut table = report::table(["node", "op", "became"], 3);
    for node in &source.report.nodes {
        table.add_row([&node.name, &node.op, &node.fate.to_string()]);
    }
    println!("{table}");
    for note in &source.report.notes {
        println!("note: {note}");
    }
    if let Some(quantization) = &source.report.quantization {
        quantization::print(quantization);
    }
    report::facts(&[
        ("plan", args.output.display().to_string()),
        ("plan hash", hex(&model.plan.digest())),
        ("packed for", target),
        ("MACs", grouped(model.macs())),
        ("plan", format!("{} B", grouped(model.plan.bytes().len()))),
        (
            "arena",
            format!("{} B", grouped(plan.manifest().arena_bytes)),
        ),
        (
            "arena, lower bound",
            format!("{} B", grouped(source.report.arena_lower_bound_bytes)),
        ),
    ]);
    Ok(())
}

fn to_json(args: &Args, model: &Model, source: &Source, target: String) -> Json {
    Json {
        model: model.name(),
        output: args.output.clone(),
        plan_hash: hex(&model.plan.digest()),
        target,
        macs: model.macs(),
        arena_bytes: model.plan.plan().manifest().arena_bytes,
        arena_lower_bound_bytes: source.report.arena_lower_bound_bytes,
        plan_bytes: model.plan.bytes().len(),
        nodes: source.report.nodes.iter().map(Node::from).collect(),
        notes: source
            .report
            .notes
            .iter()
            .map(ToString::to_string)
            .collect(),
        quantization: source.report.quantization.as_ref().map(quantization::json),
    }
}
